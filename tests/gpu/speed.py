"""The speed table of a machine: llama-bench, the bare loop, the product, other programs.

``speed.py`` makes models of 2.4B and 8B with random weights and measures them on the GPU, whole and
divided over two virtual devices. ``speed.py --cpu [MODEL …]`` does the CPU, with models given or
stand-ins of the shapes of SmolLM2-135M and Gemma 3 270M. Cases that no longer fit the time are
named, not dropped in silence. The table is printed; figures also go to ``$OUT/speed.json``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.bench.plan import CHAINS, Contender, Plan, Trial, contenders_of, trials_of
from engine.bench.runner import Runner
from engine.bench.statistics import half_quartile_distance, run_of
from engine.errors import UserError
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.bench.statistics import Run
    from engine.worker.protocol import Loaded

_LLAMA_BENCH = Path("/tmp/gpu/bin/llama-bench")
_ROUNDS = 3
_RANDOM_MODEL = Path(__file__).with_name("random_model.py")


@dataclass(frozen=True)
class Case:
    """One model with one setting of the engine."""

    model: Path
    kv: str = "f16"
    split: str = "none"
    chains: tuple[str, ...] = ("greedy", "full", "penalties")
    peers: tuple[str, ...] = ()
    on_cpu: bool = False

    @property
    def name(self) -> str:
        """As tables call it."""
        where = "CPU" if self.on_cpu else {"none": "1 device"}.get(self.split, f"2 x {self.split}")
        return f"{self.model.stem} · {self.kv} · {where}"

    @property
    def environment(self) -> dict[str, str]:
        """Two virtual devices on one card, or no card at all."""
        if self.on_cpu:
            return {"CUDA_VISIBLE_DEVICES": ""}
        return {} if self.split == "none" else {"GGML_CUDA_DEVICES": "2"}

    def settings(self, plan: Plan) -> EngineSettings:
        """What the product is told."""
        return EngineSettings(
            model_path=str(self.model),
            n_ctx=plan.n_ctx,
            type_k=self.kv,  # type: ignore[arg-type]
            type_v=self.kv,  # type: ignore[arg-type]
            split_mode=self.split,  # type: ignore[arg-type]
            flash_attn="on",
            devices=("cpu",) if self.on_cpu else (),
        )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass
class Table:
    """Owns what was measured and what was not."""

    began: float = field(default_factory=time.monotonic)
    cases: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    device: str = ""

    def miss(self, what: str) -> None:
        """Note what has no figure, and why."""
        self.missing.append(what)
        _say(f"not measured: {what}")

    def add(self, case: Case, runs: Sequence[Run], rss_bytes: int) -> None:
        """Print a case and keep it."""
        ratios = _ratios(runs)
        self.cases.append(
            {
                "case": case.name,
                "runs": [msgspec.to_builtins(run) for run in runs],
                "ratios": ratios,
                "worker_rss_bytes": rss_bytes,
            }
        )
        _say(f"\n{case.name}  [{time.monotonic() - self.began:.0f} s, {rss_bytes >> 20} MiB]")
        for run in runs:
            shares = " ".join(f"{base} {share:.3f}" for base, share in _shares(ratios, run))
            speed = f"{run.tokens_per_second:>10,.1f} ± {run.spread:<7,.1f}"
            _say(f"  {run.name:16} {run.label:18} {speed} {shares}")

    def close(self) -> None:
        """Write the JSON file."""
        data = {"device": self.device, "cases": self.cases, "missing": self.missing}
        if os.environ.get("OUT"):
            Path(os.environ["OUT"], "speed.json").write_text(json.dumps(data, indent=1))
        _say(f"\n{self.device} · {time.monotonic() - self.began:.0f} s in all")


def _ratios(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Each median over llama-bench's and over the bare loop's."""
    found: dict[str, dict[str, float]] = {}
    for base in (run for run in runs if run.label in ("llama-bench", "raw")):
        for run in runs:
            if run.name == base.name and run.label not in ("llama-bench", base.label):
                share = run.tokens_per_second / max(base.tokens_per_second, 1e-9)
                found.setdefault(f"{run.label}/{base.label}", {})[run.name] = round(share, 4)
    return found


def _shares(ratios: dict[str, dict[str, float]], run: Run) -> list[tuple[str, float]]:
    bases = ("llama-bench", "raw")
    pairs = [(f"/{base}", ratios.get(f"{run.label}/{base}", {}).get(run.name)) for base in bases]
    return [(base, share) for base, share in pairs if share is not None]


# ---- llama-bench --------------------------------------------------------------------------------


def llama_bench(case: Case, plan: Plan, threads: int) -> list[Run]:
    """The tests of a plan as llama-bench runs them.

    Raises:
        OSError: It failed.
    """
    lengths = {kind: [t.n for t in plan.trials if t.kind == kind] for kind in ("pp", "tg")}
    depths = ",".join(dict.fromkeys(str(trial.depth) for trial in plan.trials))
    command = [
        str(_LLAMA_BENCH),
        *("-m", str(case.model), "-p", str(lengths["pp"][0]), "-n", str(lengths["tg"][0])),
        *("-d", depths, "-r", str(plan.repetitions), "-ngl", "0" if case.on_cpu else "99"),
        *("-fa", "1", "-ctk", case.kv, "-ctv", case.kv, "-sm", case.split, "-o", "json"),
        *(("-t", str(threads)) if case.on_cpu else ()),
    ]
    done = subprocess.run(
        command, env=os.environ | case.environment, capture_output=True, text=True, timeout=240
    )
    if done.returncode:
        raise OSError(f"llama-bench: status {done.returncode}: {done.stderr.strip()[-200:]}")
    found: list[Run] = []
    for row in json.loads(done.stdout):
        kind, n = ("pp", row["n_prompt"]) if row["n_prompt"] else ("tg", row["n_gen"])
        trial = Trial("pp" if kind == "pp" else "tg", n, row["n_depth"])
        run = run_of(trial, Contender("raw"), [n / speed for speed in row["samples_ts"]])
        found.append(msgspec.structs.replace(run, mode="llama-bench", label="llama-bench"))
    return found


# ---- cases --------------------------------------------------------------------------------------


def measure(case: Case, plan: Plan, table: Table) -> None:
    """llama-bench, then the product beside the others, and again.

    In rounds, as a virtual machine is a few hundredths faster or slower for seconds at a time.
    """
    part = replace(plan, repetitions=-(-plan.repetitions // _ROUNDS))
    runs: list[Run] = []
    with BlockingWorker(env=case.environment) as worker:
        threads = worker.hello.build.physical_cores
        loaded = worker.load(case.settings(plan))
        table.device = _device(loaded)
        for _ in range(_ROUNDS):
            try:
                runs.extend(llama_bench(case, part, threads))
            except (OSError, ValueError, subprocess.TimeoutExpired) as error:
                table.miss(f"{case.name}: llama-bench: {error}")
            outcome = Runner(worker, loaded).run(part)
            runs.extend(outcome.runs)
            for problem in (each.problem for each in outcome.missing):
                table.miss(f"{case.name}: {problem.message} {problem.detail[-300:]}")
    order = {trial.name: index for index, trial in enumerate(plan.trials)}
    merged = sorted(_merged(runs), key=lambda run: order[run.name])
    table.add(case, merged, outcome.worker_rss_bytes)


def _merged(runs: Sequence[Run]) -> list[Run]:
    """One run for each test and contender, of the samples of all rounds."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        found.setdefault((run.name, run.label), []).extend(run.samples)
    first = {(run.name, run.label): run for run in reversed(runs)}
    return [
        msgspec.structs.replace(
            first[key],
            samples=tuple(samples),
            tokens_per_second=round(statistics.median(samples), 3),
            spread=round(half_quartile_distance(samples), 3),
        )
        for key, samples in found.items()
    ]


def _device(loaded: Loaded) -> str:
    return ", ".join(dict.fromkeys(device.description for device in loaded.context.devices))


def _plan(case: Case, options: argparse.Namespace) -> Plan:
    depths = [int(depth) for depth in options.depth.split(",")]
    peers: list[Any] = list(case.peers)
    contenders = contenders_of(GenerationSettings(), chains=case.chains, raw=True, peers=peers)
    return Plan(trials_of([options.pp], [options.tg], depths), contenders, options.repetitions)


def gpu_cases(folder: Path) -> list[Case]:
    """What matters most comes first."""
    small, large = _made(folder, "2.4b"), _made(folder, "8b")
    whole = [
        Case(model, kv, peers=("llama-class",) if kv == "f16" else ())
        for kv in ("f16", "q8_0")
        for model in (small, large)
    ]
    divided = [
        Case(model, kv, split, chains=("greedy", "full"))
        for split in ("tensor", "layer")
        for kv in ("f16", "q8_0")
        for model in (small, large)
    ]
    return [*whole, *divided]


def cpu_cases(folder: Path, models: Sequence[Path]) -> list[Case]:
    """All chains; grammars need a vocabulary."""
    known = ["llama-class", *(["server"] if importlib.util.find_spec("xllamacpp") else [])]
    if models:
        return [
            Case(model.resolve(), chains=tuple(CHAINS), peers=tuple(known), on_cpu=True)
            for model in models
        ]
    made = [_made(folder, shape) for shape in ("135m", "270m")]
    return [Case(model, peers=("llama-class",), on_cpu=True) for model in made]


def _made(folder: Path, shape: str) -> Path:
    path = folder / f"random-{shape}.gguf"
    subprocess.run([sys.executable, str(_RANDOM_MODEL), str(path), shape], check=True)
    return path


def _measured(case: Case, options: argparse.Namespace, table: Table) -> None:
    try:
        measure(case, _plan(case, options), table)
    except UserError as error:
        table.miss(f"{case.name}: {error.message} {error.problem.detail[-300:]}")
        if case.peers and error.code.startswith("bench.peer_"):
            _measured(replace(case, peers=()), options, table)


def main() -> None:
    """Measure everything that fits the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help="models for --cpu")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--pp", type=int, default=0, help="default: 2048, on the CPU 512")
    parser.add_argument("--tg", type=int, default=0, help="default: 128, on the CPU 64")
    parser.add_argument("--depth", default="", help="default: 0,16384, on the CPU 0,2048")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=430.0, help="start no case after this")
    options = parser.parse_args()
    options.pp = options.pp or (512 if options.cpu else 2048)
    options.tg = options.tg or (64 if options.cpu else 128)
    options.depth = options.depth or ("0,2048" if options.cpu else "0,16384")
    table = Table()
    with tempfile.TemporaryDirectory(prefix="leadline-speed-") as folder:
        made = Path(folder)
        cases = cpu_cases(made, options.models) if options.cpu else gpu_cases(made)
        _say(f"{len(cases)} cases [{time.monotonic() - table.began:.0f} s]")
        for case in cases:
            if time.monotonic() - table.began > options.seconds:
                table.miss(f"{case.name}: no time left")
                continue
            _measured(case, options, table)
        table.close()


if __name__ == "__main__":
    main()
