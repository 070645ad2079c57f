"""From a measurement of the best values to what its sheet shows. No Qt objects."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import QCoreApplication

from engine.bench.tune import with_values
from engine.llama.threads import default_threads
from engine.settings import EngineSettings, info_for
from widgets.engine_pane.measuring_viewdata import (
    MeasuredSettingView,
    MeasuredValueView,
    MeasuringView,
    ProposalView,
)
from widgets.figures import gib

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.bench.contest import Tried
    from engine.bench.tune import TuneProgress, Tuning
    from engine.errors import Problem

_CONTEXT = "Measuring"
# Before that, what is left is a guess.
_TELLING_FRACTION = 0.08


def _tr(text: str) -> str:
    return QCoreApplication.translate(_CONTEXT, text)


def ready_view(settings: EngineSettings, *, is_loaded: bool) -> MeasuringView:
    """What will happen."""
    words = _tr(
        "Reads and writes with {model}, with several micro-batches and thread counts in turn, and "
        "says which are best on this computer. It takes a minute or two; longer with a large "
        "model on the CPU."
    ).format(model=Path(settings.model_path).stem)
    detail = _tr("Other work on this computer disturbs the figures.")
    if is_loaded:
        detail = _tr(
            "The model is unloaded for it, as two copies of it may not fit, and loaded again "
            "afterwards. Chats are kept; each is read again with its next question."
        )
    return MeasuringView(state="ready", words=words, detail=detail)


def starting_view() -> MeasuringView:
    """Nothing is timed yet."""
    return MeasuringView(state="running", words=_tr("Loading the model to measure with."))


def running_view(now: TuneProgress, settings: EngineSettings, *, elapsed_s: float) -> MeasuringView:
    """What is timed now, and what came so far."""
    words = {
        "n_ubatch": _tr("Reading with a micro-batch of {value}."),
        "n_threads_batch": _tr("Reading with threads: {value}."),
        "n_threads": _tr("Writing with threads: {value}."),
    }[now.setting]
    turn = (
        _tr("Round {turn} of {turns}.").format(turn=now.turn, turns=now.turns)
        if now.turn
        else _tr("Warming up.")
    )
    left_s = None
    if now.fraction >= _TELLING_FRACTION:
        left_s = elapsed_s * (1 - now.fraction) / now.fraction
    return MeasuringView(
        state="running",
        words=words.format(value=f"{now.value:,}"),
        detail=turn,
        fraction=now.fraction,
        seconds_left=left_s,
        settings=_tables(now.tried, settings, timed=(now.setting, now.value)),
    )


def done_view(tuning: Tuning, measured: EngineSettings, edited: EngineSettings) -> MeasuringView:
    """The figures, and what should change.

    Args:
        tuning: What came of it.
        measured: The settings it began with.
        edited: The settings that are in the form by now, perhaps of another model.
    """
    if edited.model_path != measured.model_path:
        edited = measured
    proposals = tuple(
        ProposalView(
            title=info_for(EngineSettings, name).title,
            before=_shown(name, getattr(edited, name)),
            after=_shown(name, value),
        )
        for name, value in tuning.best.items()
        if getattr(edited, name) != value
    )
    details = [_memory_words(tuning)] if proposals else []
    if tuning.indistinct and (proposals or not _is_all_noise(tuning)):
        details.append(
            _tr("{settings}: no difference beyond the noise.").format(
                # Their titles have commas.
                settings="; ".join(
                    info_for(EngineSettings, name).title for name in tuning.indistinct
                )
            )
        )
    details += [_death_words(row) for row in tuning.tried if row.is_death]
    if with_values(edited, tuning.best) != tuning.settings:
        details.append(_tr("Other settings were changed meanwhile; it was measured without that."))
    return MeasuringView(
        state="done",
        words=_done_words(tuning, is_change=bool(proposals)),
        detail=" ".join(details),
        settings=_tables(tuning.tried, edited, indistinct=tuning.indistinct),
        proposals=proposals,
    )


def _done_words(tuning: Tuning, *, is_change: bool) -> str:
    if is_change and any(row.is_death for row in tuning.tried):
        return _tr("These are the best of the values that could be measured.")
    if is_change:
        return _tr("These values are best on this computer.")
    if _is_all_noise(tuning):
        return _tr("No difference beyond the noise; the values stay.")
    return _tr("The settings are the best already.")


def _is_all_noise(tuning: Tuning) -> bool:
    return {row.setting for row in tuning.tried} <= set(tuning.indistinct)


def _death_words(row: Tried) -> str:
    name = info_for(EngineSettings, row.setting).title
    why = row.problem.message if row.problem is not None else ""
    words = _tr("The engine ended with {name} {value}, so the figures are incomplete: {why}")
    return words.format(name=name, value=f"{row.value:,}", why=why)


def failed_view(problem: Problem, settings: Sequence[MeasuredSettingView]) -> MeasuringView:
    """Why nothing came of it; the figures that there are stay."""
    still = tuple(
        replace(one, values=tuple(replace(value, is_timed=False) for value in one.values))
        for one in settings
    )
    return MeasuringView(state="failed", words=problem.message, detail=problem.fix, settings=still)


def overtaken_view() -> MeasuringView:
    """A model was loaded meanwhile."""
    return MeasuringView(
        state="failed",
        words=_tr("Measuring was stopped, because a model was loaded meanwhile."),
        detail=_tr("Nothing was changed."),
    )


def _memory_words(tuning: Tuning) -> str:
    before, after = tuning.compute_before_bytes, tuning.compute_after_bytes
    if abs(after - before) < 1 << 20:
        return _tr("The compute buffers take {after}, as now.").format(after=gib(after))
    words = _tr("The compute buffers then take {after}; now they take {before}.")
    return words.format(before=gib(before), after=gib(after))


def _tables(
    tried: Sequence[Tried],
    settings: EngineSettings,
    *,
    timed: tuple[str, int] = ("", 0),
    indistinct: Sequence[str] = (),
) -> tuple[MeasuredSettingView, ...]:
    tables = []
    for name, rows in groupby(tried, key=lambda row: row.setting):
        title = info_for(EngineSettings, name).title
        if name == "n_ubatch":
            title = _tr("Micro-batch, reading")
        now = getattr(settings, name) or default_threads().count
        values = tuple(
            _value(
                row,
                is_best=row.is_best and name not in indistinct,
                is_now=row.value == now,
                is_timed=(name, row.value) == timed,
            )
            for row in rows
        )
        tables.append(MeasuredSettingView(title=title, values=values))
    return tuple(tables)


def _value(row: Tried, *, is_best: bool, is_now: bool, is_timed: bool) -> MeasuredValueView:
    return MeasuredValueView(
        value=f"{row.value:,}",
        tokens_per_second=row.tokens_per_second,
        spread=row.spread,
        # Threads need no buffers of their own.
        compute_bytes=row.compute_bytes if row.setting == "n_ubatch" else None,
        is_best=is_best,
        is_now=is_now,
        is_timed=is_timed,
        problem=f"{row.problem.message} {row.problem.fix}".strip() if row.problem else "",
    )


def _shown(name: str, value: int) -> str:
    info = info_for(EngineSettings, name)
    return info.special if info.special and value == info.minimum else f"{value:,}"
