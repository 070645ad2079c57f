"""What the window says about reading in parts: the cost, the progress, the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from widgets import figures
from widgets.chat.viewdata import ActionView, CardView, PartView, ProgressView

if TYPE_CHECKING:
    from app.documents.parts_record import PartsGiven
    from engine.documents.parts.results import PartNotes, Plan, Progress

_SCHEME = "page"
ACCEPT, DECLINE = "parts_read", "parts_decline"


def _tr(text: str) -> str:
    return QCoreApplication.translate("ReadingInParts", text)


def cost_card(plan: Plan) -> CardView:
    """What reading will cost, and the choice."""
    cost = plan.cost
    left = cost.parts - cost.parts_read
    title = _tr("Read {n} parts for this question?") if left > 1 else _tr("Read one part?")
    figure = [
        _tr("{tokens} tokens to read").format(tokens=figures.whole(cost.read_tokens)),
        _tr("up to {tokens} to write").format(tokens=figures.whole(cost.write_tokens)),
        _duration(cost.seconds_least, cost.seconds_most),
    ]
    lines = [
        _tr("Every page is read, part by part, and the answer comes from the notes."),
        " · ".join(filter(None, figure)),
    ]
    if cost.parts_read:
        words = _tr("{done} of {parts} parts were read before; only the rest is read now.")
        lines.append(words.format(done=cost.parts_read, parts=cost.parts))
    accept = _tr("Read {n} parts") if left > 1 else _tr("Read it")
    return CardView(
        kind="notice",
        title=title.format(n=figures.whole(left)),
        text="\n".join(lines),
        actions=(
            ActionView(ACCEPT, accept.format(n=figures.whole(left)), primary=True),
            ActionView(DECLINE, _tr("Do not read")),
        ),
        detail="\n".join(_planned(plan)),
    )


def _planned(plan: Plan) -> list[str]:
    lines = [_speeds(plan)]
    for part in plan.parts:
        words = _tr("{number}. {document}, {place}: {tokens} tokens")
        done = _tr(", read before") if part.number in plan.kept else ""
        lines.append(
            words.format(
                number=part.number,
                document=part.file_name,
                place=part.place,
                tokens=figures.whole(part.tokens),
            )
            + done
        )
    return lines


def _speeds(plan: Plan) -> str:
    words = _tr("Measured here: {read} read, {write} written. Notes have {most} tokens at most.")
    return words.format(
        read=figures.rate(plan.cost.read_per_second),
        write=figures.rate(plan.cost.write_per_second),
        most=plan.cost.note_tokens,
    )


def _duration(least_s: float | None, most_s: float | None) -> str:
    if least_s is None or most_s is None:
        return _tr("time unknown")
    least, most = figures.seconds(least_s), figures.seconds(most_s)
    return _tr("{least} to {most}").format(least=least, most=most)


def counting() -> ProgressView:
    """While the documents are cut."""
    return ProgressView(phase="reading", label=_tr("Counting the parts"))


def progress_view(progress: Progress) -> ProgressView:
    """How far reading is."""
    part = progress.part
    if part is None:
        label = _tr("Merging the notes")
    else:
        words = _tr("Part {number} of {parts}: {document}, {place}")
        label = words.format(
            number=part.number,
            parts=progress.parts,
            document=_shortened(part.file_name),
            place=part.place,
        )
    return ProgressView(
        phase="reading",
        done=progress.done_tokens,
        total=progress.total_tokens,
        seconds_left=progress.seconds_left,
        label=label,
    )


def _shortened(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:16]} … {name[-9:]}"


def part_views(given: PartsGiven) -> tuple[PartView, ...]:
    """What each part said."""
    return tuple(map(_part_view, given.parts))


def _part_view(part: PartNotes) -> PartView:
    figure = [_tr("{tokens} tokens").format(tokens=figures.whole(part.tokens))]
    if part.problem is None:
        figure.append(figures.seconds(part.seconds))
    if part.was_kept:
        figure.append(_tr("read before"))
    if part.attempts > 1:
        figure.append(_tr("{n} attempts").format(n=part.attempts))
    if part.is_cut:
        figure.append(_tr("notes cut at {n} tokens").format(n=part.written_tokens))
    notes = part.notes if part.problem is None else part.problem.message
    state = "failed" if part.problem is not None else "found" if part.has_something else "nothing"
    return PartView(
        number=part.number,
        document=part.document,
        place=part.place,
        target=f"{_SCHEME}:{part.document_id}:{_first_page(part.pages)}",
        figures=" · ".join(figure),
        notes=notes,
        state=state,  # type: ignore[arg-type]
    )


def place_of(target: str) -> tuple[str, int] | None:
    """The document and the page that a part's target names; None for another link."""
    scheme, _, place = target.partition(":")
    document_id, _, number = place.rpartition(":")
    if scheme != _SCHEME or not document_id or not number.isdecimal():
        return None
    return document_id, int(number)


def _first_page(pages: str) -> str:
    return pages.replace(",", "-").split("-")[0].strip()
