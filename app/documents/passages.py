"""Finds the passages that go with a question, for the documents that are not sent whole."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from app.documents.given_passages import GivenPassages
from app.documents.passage_index import PassageIndex
from engine.documents.pages import chosen_pages
from engine.documents.prompt import citation_names
from engine.documents.retrieval.passages import Retriever, passages_block
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from app.chat.prompting import PromptPart
    from engine.documents.model import Document, Page
    from engine.documents.retrieval.found import Found, Passage
    from engine.documents.retrieval.index import DocumentIndex
    from engine.embedding.client import EmbeddingClient
    from engine.errors import Problem
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


class _Searched(NamedTuple):
    """A document that is searched: under which name it is cited, and which of its pages count."""

    name: str
    document: Document
    pages: tuple[Page, ...]


class PassageFinder:
    """Owns the search index, one file for the whole library. Thread-safe; calls take their time.

    Attributes:
        embedder: What embeds questions and passages; None to search by words alone.
        by_words_alone: Why there is none although one is wanted.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        on_problem: Callable[[Problem], None] | None = None,
        embedder: EmbeddingClient | None = None,
    ) -> None:
        """Use the index at `path`; by default the one in the cache folder, made when needed.

        Args:
            path: The index.
            on_problem: Told when the index had to be made anew.
            embedder: The embedding model.
        """
        self._index = PassageIndex(path, on_problem or (lambda _problem: None))
        self.embedder = embedder
        self.by_words_alone: Problem | None = None

    def prepare(self, document: Document, progress: Callable[[int, int], bool]) -> bool:
        """Embed what of a document is not embedded yet; False when `progress` stopped it.

        Raises:
            UserError: The embedding model crashed.
        """
        embedder = self.embedder
        return self._index.use(lambda index: Retriever(index, embedder).prepare(document, progress))

    def shortened(self, document_id: str) -> int:
        """Of how many passages of a prepared document the embedding model read the beginning."""
        embedder = self.embedder
        if embedder is None:
            return 0
        return self._index.use(lambda index: index.shortened(document_id, embedder.model_id))

    def find(
        self,
        question: str,
        parts: Sequence[PromptPart],
        *,
        budget_tokens: int,
        engine: Engine,
        limit: int = 8,
    ) -> tuple[GivenPassages, ...]:
        """The passages that answer to a question, document by document, within a budget.

        Args:
            question: What the user asks.
            parts: All documents of the chat, also those that are sent whole.
            budget_tokens: What all passages together may take.
            engine: Counts tokens.
            limit: How many passages to send at most.
        """
        searched = _searched(parts)
        if not searched:
            return ()

        def search(index: DocumentIndex) -> tuple[GivenPassages, ...]:
            for one in searched:
                index.add(one.document)
            embedder, problem = self._ready(index, searched)
            pages = {one.document.id: [page.number for page in one.pages] for one in searched}

            def found_with(embedder: EmbeddingClient | None) -> Found:
                return Retriever(index, embedder).find(
                    question,
                    list(pages),
                    budget_tokens=budget_tokens - _FRAME_TOKENS,
                    count_tokens=engine.count,
                    limit=limit,
                    pages=pages,
                )

            try:
                found = found_with(embedder)
            except UserError as error:
                if embedder is None or not error.code.startswith("embedding."):
                    raise
                embedder, problem = None, error.problem
                found = found_with(None)
            how = GivenPassages(
                budget_tokens=max(0, budget_tokens),
                embedding_model=embedder.name if embedder else "",
                by_words_alone=problem,
            )
            sizes = {key: index.count(key, pages) for key in pages}
            return tuple(_given(one, found, sizes, engine, how) for one in searched)

        return self._index.use(search)

    def forget(self, document_id: str) -> None:
        """Take a document out of the index."""
        self._index.use(lambda index: index.remove(document_id))

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _ready(
        self, index: DocumentIndex, searched: Sequence[_Searched]
    ) -> tuple[EmbeddingClient | None, Problem | None]:
        """What may search by meaning: nothing, unless all documents are embedded whole."""
        embedder = self.embedder
        if embedder is None:
            return None, self.by_words_alone
        for one in searched:
            total = index.count(one.document.id)
            done = index.embedded(one.document.id, embedder.model_id)
            if done < total:
                waits = UserError(
                    "embedding.not_yet", name=one.document.name, done=done, total=total
                )
                return None, waits.problem
        return embedder, None


def passage_budget(measured: Measured, generation: GenerationSettings) -> int:
    """Tokens that passages may take beside a request, with room kept for the reply."""
    left = measured.n_ctx - measured.prompt_tokens - 1
    reserve = generation.max_tokens or measured.n_ctx // _RESERVE_SHARE
    return max(0, left - min(reserve, left // 2))


def passages_text(parts: Sequence[PromptPart], given: Iterable[GivenPassages]) -> str:
    """Passages as they are sent; those of a document that is not given so any more are not."""
    by_id = {one.document.id: one for one in _searched(parts)}
    return laid_out(
        [
            (by_id[each.document_id].name, by_id[each.document_id].pages, each.passages)
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


def _searched(parts: Sequence[PromptPart]) -> list[_Searched]:
    names = citation_names([part.document.name for part in parts])
    return [
        _Searched(name, part.document, chosen_pages(part.document, part.selection))
        for name, part in zip(names, parts, strict=True)
        if part.mode == "passages"
    ]


def _given(
    one: _Searched,
    found: Found,
    sizes: Mapping[str, int],
    engine: Engine,
    how: GivenPassages,
) -> GivenPassages:
    """What of all that was found is of one document."""
    document_id = one.document.id
    passages = tuple(each for each in found.passages if each.document_id == document_id)
    candidates = tuple(each for each in found.candidates if each.document_id == document_id)
    _check(one, passages)
    block = laid_out([(one.name, one.pages, passages)])
    return msgspec.structs.replace(
        how,
        document_id=document_id,
        name=one.document.name,
        passages=passages,
        candidates=candidates,
        tokens=engine.count((block,))[0] if block else 0,
        out_of=sizes[document_id],
        left_out=sum(each.left_out == "budget" for each in candidates),
        is_behind=bool(found.candidates) and not passages,
    )


def _check(one: _Searched, passages: Iterable[Passage]) -> None:
    """The index must hold what stands on the page: a wrong citation is worse than a new index."""
    texts = {page.number: page.text for page in one.pages}
    for passage in passages:
        if texts.get(passage.page_number, "")[passage.start : passage.end] != passage.text:
            error = sqlite3.DatabaseError("a passage is not what stands on its page")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
