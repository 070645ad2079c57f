"""What is stored at a question whose documents were read in parts, and read again from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from app.store.rows import Record
from engine.documents.parts.results import PartNotes, PartsRead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.chat.prompting import PromptPart

RECORD_KIND = "parts.read"
FAILED_KIND = "parts.read_some_failed"


class PartsGiven(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for a question and went with it. Stored; fields are only ever added.

    Attributes:
        parts: Every part of every document.
        block: The notes as they were sent.
        selections: The pages that were wanted of each document; empty for all of them.
        merges: Requests that merged notes.
        seconds: How long the reading took.
    """

    parts: tuple[PartNotes, ...]
    block: str
    selections: dict[str, str] = {}
    merges: int = 0
    seconds: float = 0.0


def parts_record(read: PartsRead, parts: Sequence[PromptPart]) -> Record:
    """What is noted at the question: which parts were read, what they said, what failed."""
    failed = [part for part in read.parts if part.problem is not None]
    given = PartsGiven(
        parts=read.parts,
        block=read.block,
        selections=_selections(parts),
        merges=read.merges,
        seconds=read.seconds,
    )
    data = {
        "name": ", ".join(dict.fromkeys(part.document for part in read.parts)),
        "count": len(read.parts),
        "tokens": sum(part.tokens for part in read.parts),
        "with_notes": sum(part.has_something for part in read.parts),
        "missing": "; ".join(f"{part.name} {part.place}" for part in failed),
        "read_in_parts": msgspec.to_builtins(given),
    }
    return Record(kind=FAILED_KIND if failed else RECORD_KIND, data=data)


def parts_given(records: Iterable[Record]) -> PartsGiven | None:
    """What was noted last at a question; None when it was not read for in parts."""
    for record in reversed(tuple(records)):
        if "read_in_parts" in record.data:
            try:
                return msgspec.convert(record.data["read_in_parts"], PartsGiven)
            except msgspec.ValidationError:
                # The record of a newer version, in a chat that was imported.
                return None
    return None


def is_read(parts: Sequence[PromptPart], given: PartsGiven | None) -> bool:
    """Whether the notes are those of just the pages that are to be read in parts now."""
    return _selections(parts) == (given.selections if given else {})


def _selections(parts: Sequence[PromptPart]) -> dict[str, str]:
    return {part.document.id: part.selection for part in parts if part.mode == "parts"}


def not_read(parts: Iterable[PartNotes]) -> str:
    """What the answer has to say about parts that failed; empty when all were read."""
    lines = [
        f"- {part.name}, {part.place}: {part.problem.message}"
        for part in parts
        if part.problem is not None
    ]
    return "\n".join(["Not read, and not in this answer:", *lines]) if lines else ""
