"""What comes out of reading in parts, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from engine.documents.parts.prompts import Note, says_nothing
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.documents.parts.cost import Cost
    from engine.documents.parts.cutting import Part
    from engine.documents.parts.kept import Written
    from engine.documents.parts.prompts import Wording


class PartNotes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one part said. Stored with the question; fields are only ever added.

    Attributes:
        document_id: The document it is of.
        document: Its file name.
        name: Its citation name.
        pages: Page numbers as a selection: ``"3-9"``.
        place: The same by the pages' labels, for people.
        tokens: What the part's text takes.
        notes: What was written about it.
        seconds: How long that took.
        cached_tokens: What of its request was in the memory already.
        written_tokens: How long the notes are.
        is_cut: Whether they ended at their limit.
        was_kept: Whether they were read from the disk, where an earlier reading had left them.
        attempts: How often the part was read; more than once when the engine died of it.
        problem: Why it could not be read; None when it was.
    """

    number: int
    document_id: str
    document: str
    name: str
    pages: str
    place: str
    tokens: int
    notes: str = ""
    seconds: float = 0.0
    cached_tokens: int = 0
    written_tokens: int = 0
    is_cut: bool = False
    was_kept: bool = False
    attempts: int = 1
    problem: Problem | None = None

    @property
    def has_something(self) -> bool:
        """Whether the part holds something about the question."""
        return self.problem is None and not says_nothing(self.notes)

    @property
    def note(self) -> Note:
        """Its notes, as they are merged and sent."""
        return Note(f"{self.name}, {self.place}", self.notes)


class PartsRead(msgspec.Struct, frozen=True, kw_only=True):
    """All parts are read.

    Attributes:
        parts: Every part, in order, those that failed too.
        block: The notes as they go with the question.
        merges: Requests that merged notes because all of them together did not fit.
        seconds: From the first part to the last merge.
    """

    parts: tuple[PartNotes, ...]
    block: str
    merges: int = 0
    seconds: float = 0.0


class Plan(NamedTuple):
    """How a question is going to be read for.

    Attributes:
        requests: Tokens of each part's request, the shared beginning included.
        shared_tokens: Of the shared beginning.
        keys: What the notes of each part are kept as.
        kept: Notes that are there already, by part number.
        merge_room: Tokens that notes may take in a request that merges.
        answer_room: Tokens that they may take beside the question.
    """

    wording: Wording
    parts: Sequence[Part]
    requests: Sequence[int]
    shared_tokens: int
    keys: Sequence[str]
    kept: Mapping[int, Written]
    merge_room: int
    answer_room: int
    cost: Cost


class Progress(NamedTuple):
    """How far reading is. Tokens are those of the parts that were not kept.

    Attributes:
        part: The part that is read; None while notes are merged.
        parts: Of how many.
        done_tokens: Read so far.
        total_tokens: To be read in all.
        written_tokens: Of the notes in progress.
    """

    phase: Literal["reading", "writing", "merging"]
    part: Part | None
    parts: int
    done_tokens: int
    total_tokens: int
    written_tokens: int = 0
    seconds_left: float | None = None


class StoppedError(Exception):
    """The user stopped reading; what was read so far is kept.

    Attributes:
        done: Parts that are read.
        total: Of how many; 0 while they were still being counted.
    """

    def __init__(self, done: int = 0, total: int = 0) -> None:
        super().__init__(f"stopped after {done} of {total} parts")
        self.done = done
        self.total = total
