"""`leadline plan`: what a model would take on each device, before anything is loaded."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

import msgspec

from engine.models.demo import resolve_model
from engine.planning.client import BlockingPlanner
from engine.planning.economics import imagined_devices
from engine.planning.facts import Scene
from engine.planning.plan import DevicePlan, Plan, as_json
from engine.planning.protocol import Ask
from engine.settings import EngineSettings
from engine.settings.options import add_options as add_setting_options
from engine.settings.options import settings_from

if TYPE_CHECKING:
    from engine.planning.facts import DeviceFacts

_GIB = 1024**3
_MIB = 1024**2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; `fit` has the same."""
    parser.add_argument("model", help="A GGUF file, or demo.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument(
        "--what-if",
        type=what_if,
        default=(),
        metavar="NxGB",
        help="Plan for cards that are not here, e.g. 1x12 or 2x24, and say so on each.",
    )
    add_setting_options(parser, EngineSettings, leave_out=frozenset({"model_path"}))


def what_if(text: str) -> tuple[DeviceFacts, ...]:
    """Cards from text such as ``2x24``: count and GB of each."""
    count, _, size = text.lower().partition("x")
    try:
        return imagined_devices(int(count), round(float(size) * _GIB))
    except ValueError:
        raise argparse.ArgumentTypeError("write a count and GB, e.g. 2x24") from None


def wanted_settings(options: argparse.Namespace) -> EngineSettings:
    """The settings a command line asks for."""
    base = EngineSettings(model_path=str(resolve_model(options.model)))
    return settings_from(options, base)


def run(options: argparse.Namespace) -> int:
    """Print the plan."""
    settings = wanted_settings(options)
    with BlockingPlanner() as planner:
        plan = planner.plan(
            Ask(request_id=0, settings=settings, scene=Scene(imagined=options.what_if))
        )
    if options.json:
        json.dump(as_json(plan), sys.stdout, indent=2)
        print()
    else:
        print_plan(plan)
    return 1 if plan.verdict == "no" else 0


def print_plan(plan: Plan) -> None:
    """A plan as a table and sentences."""
    print(f"Context {plan.n_ctx:,} tokens · K {plan.settings.type_k} · V {plan.settings.type_v}")
    print(f"{'':24}{'weights':>10}{'KV':>10}{'compute':>10}{'runtime':>10}{'left':>10}")
    for place in (*plan.devices, plan.host):
        print(_row(place))
    for place in (*plan.devices, plan.host):
        if place.projector_bytes:
            print(f"Vision projector: {place.projector_bytes / _MIB:,.1f} MiB on {place.name}")
    if plan.kv_kinds:
        kinds = ", ".join(f"{kind} {size / _MIB:,.1f} MiB" for kind, size in plan.kv_kinds.items())
        print(f"KV cache: {kinds}")
    if plan.kv_bytes_per_token is not None:
        print(f"One more token: {plan.kv_bytes_per_token / 1024:,.1f} KiB")
    if plan.max_n_ctx:
        print(f"Longest context that fits: {plan.max_n_ctx:,} tokens")
    if plan.parts:
        print("Split: " + " : ".join(f"{part:.1%}" for part in plan.parts))
    for message in plan.messages:
        mark = {"no": "no", "slow": "slow", "note": "note"}[message.severity]
        print(f"{mark}: {message.problem.message} {message.problem.fix}".rstrip())
    for fix in plan.fixes:
        enough = "" if fix.fits else " (not enough alone)"
        print(f"fix: {fix.label} saves {fix.saved_bytes / _MIB:,.0f} MiB{enough}")
    print(f"Verdict: {plan.verdict}")


def _row(place: DevicePlan) -> str:
    figures = (
        place.weights_bytes,
        place.kv_bytes,
        place.compute_bytes,
        place.runtime_bytes + place.pool_bytes,
        place.left_bytes,
    )
    cells = "".join("         -" if n is None else f"{n / _GIB:>9.2f}G" for n in figures)
    what_if = " (without the device)" if place.imagined else ""
    names = dict.fromkeys((place.name, place.description))
    return f"{' '.join(names)[:23]:24}{cells}{what_if}"


def replaced(settings: EngineSettings, plan: Plan) -> dict[str, object]:
    """The settings a plan changed, as plain data."""
    old = msgspec.to_builtins(settings)
    new = msgspec.to_builtins(plan.settings)
    return {
        name: getattr(plan.settings, name)
        for name in sorted(old.keys() | new.keys())
        if getattr(settings, name) != getattr(plan.settings, name)
    }
