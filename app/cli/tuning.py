"""``leadline bench --tune``: which sizes and thread counts are best here, and keeping them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from app.store.filelock import FileLock
from app.store.settings_file import SettingsFile
from app.store.tuned import keep_tuned
from engine.bench.report import device_line, heading
from engine.paths import data_dir

if TYPE_CHECKING:
    from engine.bench.contest import Tried
    from engine.bench.tune import Tuning

_MIB = 1 << 20
_WORDS = {
    "n_ubatch": "micro-batch, reading",
    "n_threads_batch": "threads, reading",
    "n_threads": "threads, writing",
}


def keep(tuning: Tuning) -> None:
    """Write the values into the settings with which the window loads this model.

    Raises:
        UserError: ``stores.in_use``: the window is open and would write over it.
    """
    lock = FileLock(data_dir() / "chats.sqlite3.lock")
    try:
        settings = SettingsFile()
        keep_tuned(settings, Path(tuning.settings.model_path), tuning.best)
        settings.close()
    finally:
        lock.release()


def as_json(tuning: Tuning, *, saved: bool) -> dict[str, Any]:
    """Everything, as ``--json`` prints it."""
    best = {row.setting: row.value for row in tuning.tried if row.is_best}
    return {
        "device": device_line(tuning.loaded),
        "tried": [msgspec.to_builtins(row) for row in tuning.tried],
        "best": {**best, "n_batch": tuning.settings.n_batch},
        "change": tuning.change,
        "indistinct": list(tuning.indistinct),
        "saved": saved,
    }


def as_text(tuning: Tuning, *, saved: bool) -> str:
    """A table per setting, and what to do with the best values."""
    lines = [heading(tuning.loaded)]
    shown = ""
    for row in tuning.tried:
        if row.setting != shown:
            shown = row.setting
            lines += ["", f"{_WORDS[shown]:>20}  {'tok/s':>10}  {'spread':>9}  {'compute':>9}"]
        mark = "stays" if row.setting in tuning.indistinct else "best"
        lines.append(f"{row.value:>20,}  {_figures(row, mark)}")
    lines.append("")
    for row in tuning.tried:
        if row.is_death:
            with_what = f"{_WORDS[row.setting]} {row.value:,}"
            lines.append(f"The engine ended with {with_what}: the figures are incomplete.")
    if tuning.indistinct:
        what = "; ".join(_WORDS[name] for name in tuning.indistinct)
        lines.append(f"No difference beyond the noise, so the value stays: {what}.")
    if saved:
        lines.append("Saved: the window loads this model with the best values from now on.")
    elif not tuning.change and not tuning.indistinct:
        lines.append("The settings are the best already.")
    elif tuning.change:
        options = (f"--{name.replace('_', '-')} {value}" for name, value in tuning.change.items())
        lines.append(f"Best: {' '.join(options)}. Add --save to keep this for the model.")
    return "\n".join(lines)


def _figures(row: Tried, mark: str) -> str:
    if row.problem is not None or row.tokens_per_second is None or row.compute_bytes is None:
        return row.problem.message if row.problem is not None else ""
    note = f"  {mark}" if row.is_best else ""
    return (
        f"{row.tokens_per_second:>10,.2f}  ± {row.spread:>7,.2f}"
        f"  {row.compute_bytes / _MIB:>5,.0f} MiB{note}"
    )
