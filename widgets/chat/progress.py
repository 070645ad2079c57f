"""What is being done for a reply, in words: loading, reading, writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from widgets import figures

if TYPE_CHECKING:
    from widgets.chat.reply_stats import Piece
    from widgets.chat.viewdata import ProgressView


def _tr(text: str) -> str:
    return QCoreApplication.translate("ReplyProgress", text)


def progress_share(progress: ProgressView) -> float | None:
    """How far it is, 0 to 1; `None` when the end is not known."""
    return progress.done / progress.total if progress.total else None


def progress_text(progress: ProgressView) -> str:
    """One line: what, how much of how much, how fast, how long still."""
    if progress.phase == "loading":
        pieces = [_loading(progress)]
    else:
        reads = progress.phase == "reading"
        pieces = [_reading(progress) if reads else _summarising(progress)]
        if progress.per_second is not None:
            pieces.append(figures.rate(progress.per_second))
    if progress.seconds_left is not None:
        pieces.append(_tr("{time} left").format(time=figures.seconds(progress.seconds_left)))
    pieces.append(_tr("Esc stops"))
    return " · ".join(pieces)


def _loading(progress: ProgressView) -> str:
    if not progress.total:
        return _tr("Loading the model")
    return _tr("Loading the model: {done} of {total}").format(
        done=figures.gib(progress.done), total=figures.gib(progress.total)
    )


def _reading(progress: ProgressView) -> str:
    if progress.label and not progress.total:
        return progress.label
    if progress.label:
        far = _tr("{done} of {total} tokens")
        done = far.format(done=figures.whole(progress.done), total=figures.whole(progress.total))
        return f"{progress.label} · {done}"
    if not progress.total:
        return _tr("Reading")
    return _tr("Reading {done} of {total} tokens").format(
        done=figures.whole(progress.done), total=figures.whole(progress.total)
    )


def _summarising(progress: ProgressView) -> str:
    return _tr("Summarising the oldest messages: {done} of {total} tokens").format(
        done=figures.whole(progress.done), total=figures.whole(progress.total)
    )


def writing_groups(progress: ProgressView) -> list[list[Piece]]:
    """The figures under a reply while it is written."""
    groups: list[list[Piece]] = [[(_tr("writing"), False)]]
    if progress.done:
        groups.append([(f"{progress.done:,}", True), (_tr(" tokens"), False)])
    if progress.per_second is not None:
        figure, unit = figures.rate(progress.per_second).split(" ")
        groups.append([(figure, True), (f" {unit}", False)])
    return groups
