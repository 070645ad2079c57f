"""A benchmark's figures as JSON and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.bench.statistics import Run, ratios_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.bench.runner import Missing, Outcome
    from engine.worker.protocol import BuildInfo, Loaded


def report_as_json(outcome: Outcome, loaded: Loaded, build: BuildInfo) -> dict[str, Any]:
    """Everything, as ``--json`` prints it."""
    context, model = loaded.context, loaded.model
    return {
        "device": device_line(loaded),
        "build": {**msgspec.to_builtins(build), "peers": outcome.versions},
        "model": {
            "name": model.name,
            "path": model.path,
            "description": model.description,
            "n_vocab": model.n_vocab,
            "size_bytes": model.size_bytes,
        },
        "context": msgspec.to_builtins(context),
        "runs": [msgspec.to_builtins(run) for run in outcome.runs],
        "ratios": ratios_of(outcome.runs),
        "missing": [_missing_as_json(each) for each in outcome.missing],
        "worker_rss_bytes": outcome.worker_rss_bytes,
    }


def _missing_as_json(missing: Missing) -> dict[str, str]:
    reason = missing.problem.params.get("reason", missing.problem.message)
    named = {"mode": missing.mode, "test": missing.test, "reason": str(reason)}
    return {**named, **missing.problem.as_json()}


def device_line(loaded: Loaded) -> str:
    """What computes, in words."""
    devices = loaded.context.devices
    named = " + ".join(dict.fromkeys(device.description or device.name for device in devices))
    return f"{len(devices)} x {named}" if len(devices) > 1 else named


def heading(loaded: Loaded) -> str:
    """What was measured, above the table."""
    context, model = loaded.context, loaded.model
    settings = [
        f"context {context.n_ctx:,}",
        f"K {context.type_k}",
        f"V {context.type_v}",
        f"batch {context.n_batch}/{context.n_ubatch}",
        f"threads {context.n_threads}/{context.n_threads_batch}",
    ]
    if context.split_mode != "none":
        settings.append(f"split {context.split_mode}")
    return f"{model.name} ({model.description}) on {device_line(loaded)}\n{' · '.join(settings)}"


def table(runs: Sequence[Run], missing: Sequence[Missing] = ()) -> str:
    """One line per test and mode: median, spread, and the product's share of it.

    A peer that dropped out has one where its first figure is missing, with the reason.
    """
    modes = [*(run.label for run in runs), *(each.mode for each in missing)]
    labels = max(len("mode"), *map(len, modes))
    names = max(len("test"), *(len(run.name) for run in runs))
    shares = ratios_of(runs)
    first = runs[0].label
    lines = [f"{'test':{names}}  {'mode':{labels}}  {'tok/s':>10}  {'spread':>9}  {'ratio':>6}"]
    for at, run in enumerate(runs):
        ratio = shares.get(f"{first}/{run.label}", {}).get(run.name)
        lines.append(
            f"{run.name:{names}}  {run.label:{labels}}  {run.tokens_per_second:>10,.2f}  "
            f"± {run.spread:>7,.2f}  " + (f"{ratio:>6.3f}" if ratio else " " * 6)
        )
        if at + 1 == len(runs) or runs[at + 1].name != run.name:
            lines += [
                f"{each.test:{names}}  {each.mode:{labels}}  {each.words}"
                for each in missing
                if each.test == run.name
            ]
    return "\n".join(line.rstrip() for line in lines) + (
        f"\nratio: {first} divided by this line." if shares else ""
    )
