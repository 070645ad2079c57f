"""Plans made beside a running engine on a real card, and what a projector takes there.

    PYTHONPATH=. python tests/gpu/beside_engine.py MODEL.gguf [--mmproj FILE]

Without Qt. It asks for a plan of the same settings at each stage of the engine's life: before it
runs, while it loads, after, after a prompt, while another load replaces the model. What is free for
the plan must stay the same, for nobody else uses the card: a difference is memory of the engine
that was counted twice, or lost. Then it takes the time of plans while a context is dragged.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.engine.card_readings import CardReadings
from app.engine.holdings import Holdings
from engine.planning.client import BlockingPlanner
from engine.planning.protocol import Ask
from engine.planning.truth import compared
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Bench, LoadProgress, new_request_id
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.planning.plan import Plan
    from engine.worker.protocol import Event

_MIB = 1024**2
_SETTLE_S = 1.0
_DRAGGED = 40


class Watch:
    """Asks and prints; `free_mib` is what every stage must have."""

    def __init__(self, planner: BlockingPlanner, settings: EngineSettings) -> None:
        self._planner = planner
        self._settings = settings
        self.readings = CardReadings()
        self.holdings = Holdings(self.readings)
        self.pid: int | None = None
        self.free_mib: float | None = None

    def look(self, stage: str) -> Plan:
        """Plan the settings now, and print a line."""
        scene = self.holdings.scene(self._settings, self.pid)
        # A model that stays keeps its division; here the question is what a load would have.
        question = Ask(request_id=0, settings=self._settings, scene=scene, brief=True)
        plan = self._planner.plan(question)
        place = plan.devices[0] if plan.devices else plan.host
        free_mib = (place.free_bytes or 0) / _MIB
        if self.free_mib is None:
            self.free_mib = free_mib
        used_mib = sum(self.readings.used_bytes().values()) / _MIB
        cells = (used_mib, free_mib, free_mib - self.free_mib, (place.left_bytes or 0) / _MIB)
        _say(f"{stage:28}" + "".join(f"{cell:12,.0f}" for cell in cells) + f"  {plan.verdict}")
        return plan

    def load(self, worker: BlockingWorker, settings: EngineSettings, plan: Plan, name: str) -> None:
        """Load, looking once in the middle and once behind it."""
        looked = False

        def half_way(event: Event) -> None:
            nonlocal looked
            if isinstance(event, LoadProgress) and event.phase == "weights" and not looked:
                looked = event.fraction >= 0.5
                if looked:
                    self.look(f"{name}: half is read")

        self.holdings.begin_load(plan, self.pid)
        loaded = worker.load(settings, half_way, shares=plan.shares)
        self.holdings.end_load(loaded)
        time.sleep(_SETTLE_S)
        self.readings.after_load(self.pid)
        self.look(f"{name}: loaded")


def watched(settings: EngineSettings) -> None:
    """The stages of an engine's life."""
    _say(f"{'MiB':28}{'card':>12}{'plan: free':>12}{'off':>12}{'plan: left':>12}")
    with BlockingPlanner() as planner:
        watch = Watch(planner, settings)
        plan = watch.look("nothing runs")
        with BlockingWorker() as worker:
            watch.pid = worker.client.pid
            time.sleep(_SETTLE_S)
            watch.load(worker, settings, plan, "first")
            _prompt(worker, settings)
            time.sleep(_SETTLE_S)
            watch.readings.after_prefill(watch.pid)
            plan = watch.look("first: a prompt was read")
            loaded = watch.holdings.loaded
            assert loaded
            told = watch.holdings.plan
            if told is not None:
                for row in compared(told, loaded.context.memory, watch.readings.taken).devices:
                    got = None if row.got_bytes is None else f"{row.got_bytes / _MIB:,.0f}"
                    _say(f"  {row.name}: predicted {row.predicted_bytes / _MIB:,.0f}, got {got}")
            _say(f"  projector by device: {loaded.context.projector_bytes}")
            # Another value of a setting that needs a reload, and takes the same.
            other = msgspec.structs.replace(settings, mmap=not settings.mmap)
            watch.load(worker, other, plan, "second")
        watch.pid = None
        time.sleep(_SETTLE_S)
        watch.look("it is gone")
    _say(f"  whose memory it is: {'hidden' if watch.readings.taken.is_difference else 'told'}")


def _prompt(worker: BlockingWorker, settings: EngineSettings) -> None:
    command = Bench(
        request_id=new_request_id(),
        n_prompt=settings.n_ctx - 64,
        n_generate=4,
        depth=0,
        repetitions=1,
        generation=GenerationSettings(),
        raw=True,
    )
    worker.bench(command)


def timed(settings: EngineSettings) -> None:
    """How long plans take while a context is dragged, and with all their figures."""
    with BlockingPlanner() as planner:
        planner.plan(Ask(request_id=0, settings=settings))
        for brief in (True, False):
            took = []
            for step in range(1, _DRAGGED + 1 if brief else 6):
                one = msgspec.structs.replace(settings, n_ctx=256 * step)
                begun_s = time.perf_counter()
                planner.plan(Ask(request_id=0, settings=one, brief=brief))
                took.append(1000 * (time.perf_counter() - begun_s))
            p95 = sorted(took)[int(len(took) * 0.95)]
            kind = "bars" if brief else "all figures"
            _say(f"{kind:28} p50 {statistics.median(took):5.0f} ms  p95 {p95:5.0f} ms")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--mmproj", default="", help="a projector to load beside the model")
    parser.add_argument("--n-ctx", type=int, default=8192)
    parser.add_argument("--split", default="layer", choices=("none", "layer", "tensor"))
    options = parser.parse_args(arguments)
    settings = EngineSettings(
        model_path=str(options.model),
        mmproj=options.mmproj,
        n_ctx=options.n_ctx,
        split_mode=options.split,
    )
    watched(settings)
    timed(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
