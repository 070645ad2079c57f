"""What of a document went with a question: as it is noted at the question and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from app.store.rows import Record
from engine.documents.prompt import page_marker
from engine.documents.retrieval.found import Candidate, Passage
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.documents.model import Page

PASSAGE_RECORDS = (
    "app.passages_given",
    "app.no_passages",
    "app.passages_behind",
    "app.passages_do_not_fit",
)
"""Kinds of the records that say what of a document went with a question."""


class GivenPassages(msgspec.Struct, frozen=True, kw_only=True):
    """The passages of one document that go with a question. Fields are only ever added.

    Attributes:
        document_id: The document.
        name: Its file name.
        passages: What is sent, best first, neighbours joined.
        tokens: What they take in the prompt.
        out_of: How many passages the document has, before any are joined.
        left_out: How many of the best did not fit.
        candidates: All that was found of this document, best first.
        budget_tokens: What all passages together might take.
        embedding_model: What searched by meaning; empty where only words were searched.
        by_words_alone: Why that was so although a model is configured.
        is_behind: Whether passages of other documents took all the places.
    """

    document_id: str = ""
    name: str = ""
    passages: tuple[Passage, ...] = ()
    tokens: int = 0
    out_of: int = 0
    left_out: int = 0
    candidates: tuple[Candidate, ...] = ()
    budget_tokens: int = 0
    embedding_model: str = ""
    by_words_alone: Problem | None = None
    is_behind: bool = False

    @property
    def count(self) -> int:
        """How many of the document's passages are sent, before any are joined."""
        return sum(passage.chunks for passage in self.passages)


def passages_record(given: GivenPassages, pages: Sequence[Page] = ()) -> Record:
    """What is noted at the question: which passages went with it, or that none did."""
    kind = "app.passages_given" if given.passages else "app.no_passages"
    if given.left_out and not given.passages:
        kind = "app.passages_do_not_fit"
    elif given.is_behind:
        kind = "app.passages_behind"
    data = msgspec.to_builtins(given)
    data |= {"count": given.count or given.left_out, "text": described(given, pages)}
    return Record(kind=kind, data=data)


def given_by(records: Iterable[Record]) -> tuple[GivenPassages, ...]:
    """The passages that were noted at a question."""
    return tuple(
        msgspec.convert(record.data, GivenPassages)
        for record in records
        if record.kind in PASSAGE_RECORDS
    )


def described(given: GivenPassages, pages: Sequence[Page]) -> str:
    """Passages for people: page, place in the ranking, text."""
    by_number = {page.number: page for page in pages}
    lines = []
    for passage in given.passages:
        page = by_number.get(passage.page_number)
        place = page_marker(given.name, page)[1:-1] if page else given.name
        ranks = [
            f"{words} {rank}"
            for words, rank in (
                ("by words", passage.rank_by_words),
                ("by meaning", passage.rank_by_meaning),
            )
            if rank is not None
        ]
        lines.append(f"{place} · {', '.join(ranks)}\n{passage.text.strip()}")
    return "\n\n".join(lines)
