"""Compares plans with NVML on a CUDA machine, on two virtual devices of one card.

Run it in the repository, with the CUDA build, msgspec, platformdirs, psutil and numpy:

    python tests/gpu/plan_truth.py MODEL.gguf [--out FILE] [--budget-s 540] [--skip N]

It prints JSON: per configuration the plan of the card (virtual devices together), NVML after init
and after a full-depth prefill, both differences, and llama-fit-params' figure; then the time that
plans take while n_ctx is dragged, and how many configurations met the target: within 1 % or 64 MiB
of the card after the prefill. Each configuration loads in a process of its own. What is learned is
kept for the run alone: the first row of each split goes by the first guess.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

os.environ.setdefault("GGML_CUDA_DEVICES", "2")
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec

from engine.planning.client import BlockingPlanner
from engine.planning.corrections import Corrections
from engine.planning.protocol import Ask, Open
from engine.planning.truth import Readings, learn
from engine.settings import EngineSettings, validated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.planning.plan import Plan

_MIB = 1024 * 1024
_SETTLE_S = 0.5
_DRAGS = 60
_CLOSE_MIB = 64.0
_CLOSE_SHARE = 0.01


def configurations(model: str, contexts: Sequence[int]) -> Iterator[EngineSettings]:
    """Splits, KV types and micro-batches: the short contexts first, then the long ones."""
    for n_ctx, split, kv_type, n_ubatch in itertools.product(
        contexts, ("layer", "tensor"), ("f16", "q8_0", "q4_0"), (512, 2048)
    ):
        yield validated(
            EngineSettings(model_path=model),
            n_ctx=n_ctx,
            split_mode=split,
            tensor_split=(1, 1),
            type_k=kv_type,
            type_v=kv_type,
            n_ubatch=n_ubatch,
            n_batch=2048,
            mmap=True,
        )


def used_bytes() -> int:
    """What the first card holds, by nvidia-smi (whole MiB), once it has settled."""
    time.sleep(_SETTLE_S)
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return int(answer.splitlines()[0]) * _MIB


class Load:
    """A load in a process of its own, driven line by line."""

    def __init__(self, settings: EngineSettings) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", msgspec.json.encode(settings).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def step(self) -> dict[str, Any]:
        """What the next stage tells; empty when the process is over."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                told: dict[str, Any] = json.loads(line)
                return told
        return {}

    def go_on(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> int:
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(60)


def child(text: str) -> int:
    """Load, wait, read a prompt that fills the context, wait, leave."""
    import ctypes

    from engine.llama.breakdown import memory_breakdown
    from engine.llama.devices import Devices
    from engine.llama.library import api
    from engine.llama.parameters import context_parameters, model_parameters

    settings = msgspec.json.decode(text, type=EngineSettings)
    # stdout carries the stages; llama.cpp's prints go elsewhere.
    stages = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    native = api()
    handles = [device.handle for device in Devices().chosen(settings.devices)]
    parameters = model_parameters(settings, handles)
    started_s = time.perf_counter()
    model = native.llama_model_load_from_file(settings.model_path.encode(), parameters.struct)
    context = native.llama_init_from_model(
        model, context_parameters(settings, threads=8, threads_batch=8).struct
    )
    rows = [msgspec.to_builtins(row) for row in memory_breakdown(context)]
    _tell(stages, {"load_s": time.perf_counter() - started_s, "rows": rows})
    sys.stdin.readline()
    started_s = time.perf_counter()
    done, depth = 0, settings.n_ctx - 64
    while done < depth:
        size = min(settings.n_batch, depth - done)
        tokens = (ctypes.c_int32 * size)(*[(7 * (done + i)) % 32000 for i in range(size)])
        if native.llama_decode(context, native.llama_batch_get_one(tokens, size)):
            break
        done += size
    for _ in range(8):
        one = (ctypes.c_int32 * 1)(5)
        native.llama_decode(context, native.llama_batch_get_one(one, 1))
    native.llama_synchronize(context)
    _tell(stages, {"prefill_s": time.perf_counter() - started_s, "tokens": done})
    sys.stdin.readline()
    return 0


def _tell(stages: IO[str], what: dict[str, Any]) -> None:
    stages.write(json.dumps(what) + "\n")


@dataclass(frozen=True)
class Run:
    """What the card held around one load, and what the load told; empty where it got no further."""

    before: int
    after_load: int
    after_prefill: int
    loaded: dict[str, Any]
    prefilled: dict[str, Any]
    status: int


def run(settings: EngineSettings) -> Run:
    """Load and prefill in a process of its own, and read the card before and after each."""
    before = used_bytes()
    load = Load(settings)
    loaded = load.step()
    after_load = used_bytes() if loaded else before
    load.go_on()
    prefilled = load.step()
    after_prefill = used_bytes() if prefilled else after_load
    load.go_on()
    return Run(before, after_load, after_prefill, loaded, prefilled, load.end())


def measured(settings: EngineSettings, fit_params: str | None) -> dict[str, Any]:
    """One configuration: plan, load, prefill; what was learned is kept for the next."""
    with BlockingPlanner() as planner:
        opened = planner.open(Open(request_id=0, settings=settings))
        plan = planner.plan(Ask(request_id=0, settings=settings, brief=True))
    done = run(settings)
    if done.loaded and opened.chosen:
        identity = opened.chosen[0].card
        readings = Readings(
            before={identity: done.before},
            after_load={identity: done.after_load},
            after_prefill={identity: done.after_prefill} if done.prefilled else {},
        )
        learn(plan, opened.chosen, opened.build, readings, Corrections())
    return {
        **_planned(settings, plan),
        **_met(plan, done),
        "fit_params_mib": _fit_params(settings, fit_params),
        "load_s": done.loaded.get("load_s"),
        "prefill_s": done.prefilled.get("prefill_s"),
        "prefill_tokens": done.prefilled.get("tokens"),
        "status": done.status,
    }


def _planned(settings: EngineSettings, plan: Plan) -> dict[str, Any]:
    return {
        "split": settings.split_mode,
        "kv": settings.type_k,
        "n_ctx": settings.n_ctx,
        "n_ubatch": settings.n_ubatch,
        "verdict": plan.verdict,
        "messages": [message.code for message in plan.messages],
        "plan_s": plan.seconds,
        "account_mib": _mib(sum(device.account_bytes for device in plan.devices)),
        "runtime_mib": _mib(sum(device.runtime_bytes for device in plan.devices)),
        "pool_mib": _mib(sum(device.pool_bytes for device in plan.devices)),
        "devices": [
            {
                "name": device.name,
                "weights_mib": _mib(device.weights_bytes),
                "kv_mib": _mib(device.kv_bytes),
                "compute_mib": _mib(device.compute_bytes),
            }
            for device in plan.devices
        ],
    }


def _met(plan: Plan, done: Run) -> dict[str, Any]:
    """What the card really took, and how far that is from the plan."""
    rows = done.loaded.get("rows", [])
    took_load, took_prefill = done.after_load - done.before, done.after_prefill - done.before
    predicted_load = _sum(plan, pool=False)
    predicted_prefill = _sum(plan, pool=True)
    off_prefill = took_prefill - predicted_prefill
    return {
        "live_rows": rows,
        "after_init_mib": _mib(took_load),
        "after_prefill_mib": _mib(took_prefill),
        "predicted_init_mib": _mib(predicted_load),
        "predicted_prefill_mib": _mib(predicted_prefill),
        "off_init_mib": _mib(took_load - predicted_load),
        "off_prefill_mib": _mib(off_prefill),
        "off_prefill_percent": round(100 * off_prefill / max(1, took_prefill), 2),
        "is_close": bool(done.prefilled)
        and abs(off_prefill) <= max(_CLOSE_MIB * _MIB, _CLOSE_SHARE * took_prefill),
        "live_off_bytes": _live_off(plan, rows),
    }


def _live_off(plan: Plan, rows: Sequence[dict[str, Any]]) -> int | None:
    """llama.cpp's account of the live context less the plan's; a tensor split tells one device."""
    parts = ("weights_bytes", "kv_bytes", "compute_bytes")
    live: int = sum(sum(row[part] for part in parts) for row in rows if not row["is_host"])
    planned = [device.account_bytes for device in plan.devices]
    if not live:
        return None
    return live - (max(planned) if plan.settings.split_mode == "tensor" else sum(planned))


def _sum(plan: Plan, *, pool: bool) -> int:
    return sum(device.needed_bytes - (0 if pool else device.pool_bytes) for device in plan.devices)


def _mib(size: float) -> float:
    return round(size / _MIB, 1)


def _fit_params(settings: EngineSettings, program: str | None) -> float | None:
    """What upstream's own planner projects for the devices; None where it refuses."""
    if program is None or settings.split_mode == "tensor":
        return None
    command = [program, "-m", settings.model_path, "-c", str(settings.n_ctx), "-v"]
    command += ["-ctk", settings.type_k, "-ctv", settings.type_v, "-fa", "on"]
    command += ["-ub", str(settings.n_ubatch), "-b", str(settings.n_batch), "-ts", "1,1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"projected to use (\d+) MiB of device memory", done.stdout + done.stderr)
    return float(found[1]) if found else None


def dragging(model: str) -> dict[str, Any]:
    """Seconds from question to bars while n_ctx is dragged, through the planner process."""
    result: dict[str, Any] = {}
    for split in ("layer", "tensor"):
        base = EngineSettings(
            model_path=model, split_mode=split, tensor_split=(1, 1), type_k="q8_0", type_v="q8_0"
        )
        seconds = []
        with BlockingPlanner() as planner:
            planner.plan(Ask(request_id=0, settings=base, brief=True))
            for step in range(_DRAGS):
                settings = msgspec.structs.replace(base, n_ctx=4096 + 1024 * step)
                started_s = time.perf_counter()
                planner.plan(Ask(request_id=0, settings=settings, brief=True))
                seconds.append(time.perf_counter() - started_s)
        seconds.sort()
        result[split] = {
            "p50_ms": round(1000 * statistics.median(seconds), 1),
            "p95_ms": round(1000 * seconds[int(0.95 * len(seconds))], 1),
        }
    return result


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How many rows met the target, and the largest differences."""
    told = [row for row in rows if "error" not in row]
    return {
        "rows": len(rows),
        "close": sum(row["is_close"] for row in told),
        "largest_off_mib": max((abs(row["off_prefill_mib"]) for row in told), default=None),
        "largest_live_off_bytes": max(
            (abs(row["live_off_bytes"]) for row in told if row["live_off_bytes"] is not None),
            default=None,
        ),
    }


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--child", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--budget-s", type=float, default=540.0)
    parser.add_argument("--contexts", type=_numbers, default=(32768, 131072), metavar="N,N")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--fit-params", default="", help="path of llama-fit-params")
    options = parser.parse_args(arguments)
    if options.child:
        return child(options.child)
    if "LEADLINE_HOME" not in os.environ:
        os.environ["LEADLINE_HOME"] = tempfile.mkdtemp(prefix="leadline-truth-")
    program = options.fit_params or shutil.which("llama-fit-params")
    started_s = time.monotonic()
    result: dict[str, Any] = {"dragging": dragging(options.model), "rows": []}
    for number, settings in enumerate(configurations(options.model, options.contexts)):
        if number < options.skip:
            continue
        if time.monotonic() - started_s > options.budget_s:
            result["stopped_at"] = number
            break
        try:
            row = measured(settings, program)
        except Exception as error:  # noqa: BLE001  one bad configuration must not lose the others
            row = {"error": repr(error), "settings": msgspec.to_builtins(settings)}
        result["rows"].append(row)
        if options.out:
            options.out.write_text(json.dumps(result, indent=2))
        shown = {name: value for name, value in row.items() if name != "live_rows"}
        sys.stdout.write(json.dumps(shown) + "\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps(result["dragging"]) + "\n")
    result["summary"] = summary(result["rows"])
    if options.out:
        options.out.write_text(json.dumps(result, indent=2))
    sys.stdout.write(json.dumps(result["summary"]) + "\n")
    return 0 if result["summary"]["close"] == len(result["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
