"""Finds the passages that go with a question, for the documents that are not sent whole."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from app.store.rows import Record
from engine.documents.pages import chosen_pages
from engine.documents.prompt import citation_names, page_marker
from engine.documents.retrieval.index import DocumentIndex
from engine.documents.retrieval.passages import Passage, Retriever, passages_block
from engine.paths import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from app.chat.prompting import PromptPart
    from engine.documents.model import Document, Page
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Measured, Prompt

_RESERVE_SHARE = 4
"""Where replies have no limit, a quarter of the context is kept free for one."""
_FRAME_TOKENS = 32
"""What encloses the passages, and what joining texts may add."""


class Engine(Protocol):
    """What counts tokens as the model does. Calls may wait."""

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request."""

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts."""


class GivenPassages(msgspec.Struct, frozen=True, kw_only=True):
    """The passages of one document that go with a question.

    Attributes:
        document_id: The document.
        name: Its file name.
        passages: Best first.
        tokens: What they take in the prompt.
        out_of: How many passages the document has.
        left_out: How many more were found and did not fit.
    """

    document_id: str
    name: str
    passages: tuple[Passage, ...]
    tokens: int
    out_of: int
    left_out: int = 0


class _Searched(NamedTuple):
    """A document as it is indexed: the chosen pages of one are a text of their own."""

    part: PromptPart
    name: str
    document: Document


class PassageFinder:
    """Owns the search index, one file for the whole library. Thread-safe; calls take their time."""

    def __init__(self, path: Path | None = None) -> None:
        """Use the index at `path`; by default the one in the cache folder, made when needed."""
        self._path = path
        self._lock = threading.Lock()
        self._index: DocumentIndex | None = None

    def find(
        self,
        question: str,
        parts: Sequence[PromptPart],
        *,
        budget_tokens: int,
        engine: Engine,
    ) -> tuple[GivenPassages, ...]:
        """The passages that answer to a question, document by document, within a budget.

        Args:
            question: What the user asks.
            parts: All documents of the chat, also those that are sent whole.
            budget_tokens: What all passages together may take.
            engine: Counts tokens.
        """
        searched = {one.document.id: one for one in _searched(parts)}
        with self._lock:
            index = self._opened()
            sizes = {key: index.add(one.document) for key, one in searched.items()}
            found = Retriever(index).find(
                question,
                [key for key, size in sizes.items() if size],
                budget_tokens=budget_tokens - _FRAME_TOKENS,
                count_tokens=lambda text: engine.count((text,))[0],
            )
        given = []
        for key, one in searched.items():
            mine = [passage for passage in found.passages if passage.document_id == key]
            passages = tuple(
                msgspec.structs.replace(passage, document_id=one.part.document.id)
                for passage in mine
            )
            block = laid_out([(one.name, one.document.pages, passages)])
            given.append(
                GivenPassages(
                    document_id=one.part.document.id,
                    name=one.document.name,
                    passages=passages,
                    tokens=engine.count((block,))[0] if block else 0,
                    out_of=sizes[key],
                    left_out=found.left_out if len(searched) == 1 else 0,
                )
            )
        return tuple(given)

    def close(self) -> None:
        """Close the index."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _opened(self) -> DocumentIndex:
        if self._index is None:
            self._index = DocumentIndex(self._path or cache_dir() / "passages.sqlite3")
        return self._index


def passage_budget(measured: Measured, generation: GenerationSettings) -> int:
    """Tokens that passages may take beside a request, with room kept for the reply."""
    left = measured.n_ctx - measured.prompt_tokens - 1
    reserve = generation.max_tokens or measured.n_ctx // _RESERVE_SHARE
    return max(0, left - min(reserve, left // 2))


def passages_text(parts: Sequence[PromptPart], given: Iterable[GivenPassages]) -> str:
    """Passages as they are sent; those of a document that is not given so any more are not."""
    by_id = {one.part.document.id: one for one in _searched(parts)}
    return laid_out(
        [
            (by_id[each.document_id].name, by_id[each.document_id].document.pages, each.passages)
            for each in given
            if each.document_id in by_id
        ]
    )


def laid_out(groups: Sequence[tuple[str, Sequence[Page], Sequence[Passage]]]) -> str:
    """(Citation name, pages, passages) of each document, as text for the prompt."""
    listed = [passage for _, _, passages in groups for passage in passages]
    names = {p.document_id: name for name, _, passages in groups for p in passages}
    pages = {
        (passage.document_id, page.number): page
        for _, held, passages in groups
        for passage in passages
        for page in held
        if page.number == passage.page_number
    }
    return passages_block(listed, names, pages)


def passages_record(given: GivenPassages, pages: Sequence[Page] = ()) -> Record:
    """What is noted at the question: which passages went with it, or that none did."""
    data = {
        "name": given.name,
        "document_id": given.document_id,
        "count": len(given.passages) or given.left_out,
        "out_of": given.out_of,
        "tokens": given.tokens,
        "left_out": given.left_out,
        "passages": msgspec.to_builtins(given.passages),
        "text": described(given, pages),
    }
    kind = "app.passages_given" if given.passages else "app.no_passages"
    if given.left_out and not given.passages:
        kind = "app.passages_do_not_fit"
    return Record(kind=kind, data=data)


def given_by(records: Iterable[Record]) -> tuple[GivenPassages, ...]:
    """The passages that were noted at a question."""
    return tuple(
        msgspec.convert(record.data, GivenPassages)
        for record in records
        if "document_id" in record.data
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


def _searched(parts: Sequence[PromptPart]) -> list[_Searched]:
    names = citation_names([part.document.name for part in parts])
    return [
        _Searched(part, name, _as_indexed(part))
        for name, part in zip(names, parts, strict=True)
        if part.mode == "passages"
    ]


def _as_indexed(part: PromptPart) -> Document:
    if not part.selection.strip():
        return part.document
    pages = chosen_pages(part.document, part.selection)
    numbers = ",".join(str(page.number) for page in pages)
    kept = {page.number for page in pages}
    return msgspec.structs.replace(
        part.document,
        id=f"{part.document.id}:{numbers}",
        pages=pages,
        outline=tuple(entry for entry in part.document.outline if entry.page_number in kept),
    )
