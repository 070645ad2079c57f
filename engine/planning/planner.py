"""Makes plans: rules first, then the dry run, then what is free. Runs in the planner process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from engine.errors import UserError
from engine.llama.build_facts import build_facts
from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun
from engine.planning.corrections import Corrections
from engine.planning.judge import emptied, filled, judged, refused, sizes
from engine.planning.ladder import ladder, ranked
from engine.planning.machine import Machine
from engine.planning.plan import Plan, PlanMessage
from engine.planning.rules import check, worst
from engine.planning.search import STEP, largest_context, room_bytes, tightest
from engine.planning.stand_ins import StandIns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.llama.dry_run import Measured
    from engine.planning.facts import BuildFacts, DeviceFacts, ModelFacts, Scene
    from engine.planning.plan import DevicePlan
    from engine.settings import EngineSettings

# Past this a context is no longer a question of memory; cells themselves cost the planner RAM.
_LONGEST_CONTEXT = 4_194_304
_TOKENS_APART = 4096


class Planner:
    """Answers settings. Lives on the planner process's main thread.

    Raises `UserError` where a file cannot be read or a device does not answer; settings that are
    refused are a plan that says so.
    """

    def __init__(self, corrections: Corrections | None = None) -> None:
        self.corrections = corrections or Corrections()
        self._machine = Machine(self.corrections)
        self._devices = Devices()
        self._stand_ins = StandIns()
        self._run: DryRun | None = None
        self._build: BuildFacts | None = None
        self._per_token: dict[tuple[object, ...], float] = {}

    def close(self) -> None:
        """Close the model and stop stand-ins."""
        if self._run is not None:
            self._run.close()
        self._stand_ins.close()

    def model(self, settings: EngineSettings) -> ModelFacts:
        """The facts of the settings' model file, opened when it is another one."""
        return self._opened(settings.model_path).header.facts

    def build(self) -> BuildFacts:
        """What this build can do."""
        if self._build is None:
            backends = {device.info.backend for device in self._devices.all()}
            self._build = build_facts(tuple(sorted(backends)))
        return self._build

    def all_devices(self) -> tuple[DeviceFacts, ...]:
        """Every device of this machine, and remote ones that were asked for."""
        return self._machine.facts([device.info for device in self._devices.all()])

    def chosen(self, settings: EngineSettings, scene: Scene) -> tuple[DeviceFacts, ...]:
        """The devices that settings name, in order."""
        if scene.imagined:
            return scene.imagined
        infos = [device.info for device in self._devices.chosen(settings.devices)]
        return self._machine.facts(infos, worker_pid=scene.worker_pid)

    def plans(self, settings: EngineSettings, scene: Scene, *, brief: bool) -> Iterator[Plan]:
        """The bars at once, then the same plan with the figures that take several dry runs."""
        started = time.perf_counter()
        # The app learns from each load, in its own process.
        self.corrections.refresh()
        plan = self.bars(settings, scene)
        elapsed_s = time.perf_counter() - started
        yield msgspec.structs.replace(plan, is_final=brief or plan.is_refused, seconds=elapsed_s)
        if brief or plan.is_refused:
            return
        max_n_ctx = self.max_n_ctx(settings, scene)
        per_token = self.kv_bytes_per_token(settings, scene)
        plan = self._with_advice(plan, max_n_ctx)
        plan = msgspec.structs.replace(
            plan, max_n_ctx=max_n_ctx, kv_bytes_per_token=per_token, is_final=False
        )
        if room_bytes(plan) < 0:
            yield plan
            measure = lambda other: self.bars(other, scene)  # noqa: E731
            fixes = list(ladder(plan, self.model(settings), measure, max_n_ctx))
            plan = msgspec.structs.replace(plan, fixes=ranked(fixes))
        elapsed_s = time.perf_counter() - started
        yield msgspec.structs.replace(plan, is_final=True, seconds=elapsed_s)

    def bars(self, settings: EngineSettings, scene: Scene) -> Plan:
        """The plan of one setting, with one dry run."""
        model, build = self.model(settings), self.build()
        chosen = self.chosen(settings, scene)
        # A tensor split of one device divides nothing.
        tensor = settings.split_mode == "tensor" and len(chosen) > 1
        places = self._machine.places(chosen, build.id, scene.released, tensor=tensor)
        host = self._machine.host(scene.worker_pid)
        verdicts = check(settings, model, build, chosen)
        messages = tuple(PlanMessage.of(verdict) for verdict in verdicts)
        plan = Plan(
            settings=settings,
            devices=emptied(places),
            host=host,
            verdict=worst(verdicts),
            messages=messages,
            read_bytes=model.file_bytes,
            load_s=self._load_s(model.file_bytes),
        )
        if plan.verdict == "no":
            return plan
        try:
            measured = self._measured(settings, scene, places)
        except UserError as error:
            return refused(plan, error)
        return judged(filled(plan, settings, places, host, measured))

    def max_n_ctx(self, settings: EngineSettings, scene: Scene) -> int:
        """The largest context that fits with the other settings; 0 when none does."""
        model = self.model(settings)
        scaled = settings.rope_scaling != "model" or settings.rope_freq_scale > 0
        trained = model.n_ctx_train or _LONGEST_CONTEXT
        cap = min(_LONGEST_CONTEXT, trained * 4 if scaled else max(trained, STEP))

        def room(n_ctx: int) -> int | None:
            plan = self.bars(msgspec.structs.replace(settings, n_ctx=n_ctx), scene)
            return None if plan.is_refused else room_bytes(plan)

        return largest_context(room, cap)

    def kv_bytes_per_token(self, settings: EngineSettings, scene: Scene) -> float:
        """What one more token costs where the cache grows straight (past a sliding window)."""
        model = self.model(settings)
        key = (model.path, settings.type_k, settings.type_v, settings.swa_full, settings.split_mode)
        if key not in self._per_token:
            # A multiple of 256 past the window, where padding and windows have no say any more.
            near = (model.n_swa + settings.n_ubatch) // _TOKENS_APART * _TOKENS_APART
            sizes = []
            for n_ctx in (near + _TOKENS_APART, near + 2 * _TOKENS_APART):
                plan = self.bars(msgspec.structs.replace(settings, n_ctx=n_ctx), scene)
                sizes.append(sum(plan.kv_kinds.values()))
            self._per_token[key] = (sizes[1] - sizes[0]) / _TOKENS_APART
        return self._per_token[key]

    def _opened(self, path: str) -> DryRun:
        if self._run is None or self._run.path != path:
            if self._run is not None:
                self._run.close()
                self._run = None
            self._run = DryRun(path, self._devices)
        return self._run

    def _measured(
        self, settings: EngineSettings, scene: Scene, places: Sequence[DevicePlan]
    ) -> Measured:
        if scene.imagined:
            addresses = self._stand_ins.addresses(len(scene.imagined))
            settings = msgspec.structs.replace(settings, devices=addresses)
        free = [place.free_bytes or 0 for place in places]
        return self._opened(settings.model_path).measure(
            settings, free_bytes=free, shares=scene.shares
        )

    def _load_s(self, read_bytes: int) -> float | None:
        speed = self.corrections.read_bytes_per_s
        return read_bytes / speed if speed else None

    def _with_advice(self, plan: Plan, max_n_ctx: int) -> Plan:
        """The sentences about memory, now that the largest context is known."""
        others = tuple(m for m in plan.messages if not m.code.startswith("planning.over_device"))
        if len(others) == len(plan.messages):
            return plan
        crowded = tightest(plan)
        change = {"n_ctx": max_n_ctx} if max_n_ctx else {}
        code = "planning.over_device" if max_n_ctx else "planning.over_device_whole"
        params = {**sizes(crowded), "max_n_ctx": max_n_ctx}
        message = PlanMessage(
            code=code, severity="no", setting="n_ctx", params=params, change=change
        )
        return msgspec.structs.replace(plan, messages=(message, *others))
