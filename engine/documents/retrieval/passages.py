"""From a question to the passages that are sent with it.

The best chunks are taken as long as their tokens fit the budget; chunks that touch on a page become
one passage; what was found, and by which ranking, stays with it for the panel that shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from engine.documents.prompt import page_marker
from engine.documents.retrieval.fuse import fuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.documents.model import Document, Page
    from engine.documents.retrieval.chunks import Chunk
    from engine.documents.retrieval.index import DocumentIndex, Hit

_CANDIDATES = 50
_MARKER_TOKENS = 16
"""What a passage's own marker and line ends may take, counted with each passage."""


class Embedder(Protocol):
    """Turns texts into vectors; runs elsewhere (a worker of its own)."""

    @property
    def model_id(self) -> str:
        """Names the model, so that its vectors are never mixed with another's."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text."""


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one page that answers to the question.

    Attributes:
        document_id: The document it is from.
        page_number: The page it is on, from 1.
        start: Where it begins in the page's text.
        end: Where it ends there.
        text: The stretch itself.
        tokens: Its length as counted for the budget.
        score: The best fused score of its chunks.
        rank_by_words: The best place of its chunks in the ranking by words; None when not in it.
        rank_by_meaning: The same for the ranking by embeddings.
    """

    document_id: str
    page_number: int
    start: int
    end: int
    text: str
    tokens: int
    score: float
    rank_by_words: int | None = None
    rank_by_meaning: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search gave: the passages to send, best first, and what no longer fitted."""

    passages: tuple[Passage, ...]
    tokens: int
    left_out: int


class Retriever:
    """Searches an index. Holds no state of its own; may be used from any one thread at a time."""

    def __init__(self, index: DocumentIndex, embedder: Embedder | None = None) -> None:
        self._index = index
        self._embedder = embedder

    def prepare(
        self, document: Document, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Index a document, and embed what is not embedded yet, in batches."""
        self._index.add(document)
        if self._embedder is None:
            return
        missing = self._index.without_vector(document.id, self._embedder.model_id)
        for at in range(0, len(missing), 64):
            batch = missing[at : at + 64]
            vectors = self._embedder.embed([text for _, text in batch])
            self._index.add_vectors(self._embedder.model_id, [one for one, _ in batch], vectors)
            if progress is not None:
                progress(at + len(batch), len(missing))

    def find(
        self,
        question: str,
        document_ids: Sequence[str],
        *,
        budget_tokens: int,
        count_tokens: Callable[[str], int],
        limit: int = 8,
    ) -> Found:
        """The passages to send with `question`, at most `limit` and within the budget.

        Args:
            question: What the user asks.
            document_ids: Prepared documents to search.
            budget_tokens: Tokens that the passages may take, their markers included.
            count_tokens: Counts as the model does.
            limit: How many chunks to take at most.
        """
        by_words = self._index.search_words(question, document_ids, _CANDIDATES)
        by_meaning: list[Hit] = []
        if self._embedder is not None:
            vector = self._embedder.embed([question])[0]
            by_meaning = self._index.search_vector(
                vector, self._embedder.model_id, document_ids, _CANDIDATES
            )
        hits = fuse([ranking for ranking in (by_words, by_meaning) if ranking])[:limit]
        ranks = tuple({hit.chunk_id: hit.rank for hit in one} for one in (by_words, by_meaning))
        chunks = self._index.chunks(hit.chunk_id for hit in hits)
        return _within_budget(hits, chunks, ranks, budget_tokens, count_tokens)


def _within_budget(
    hits: Sequence[Hit],
    chunks: Mapping[int, Chunk],
    ranks: Sequence[Mapping[int, int]],
    budget_tokens: int,
    count_tokens: Callable[[str], int],
) -> Found:
    passages: list[Passage] = []
    tokens = left_out = 0
    for hit in hits:
        chunk = chunks[hit.chunk_id]
        cost = count_tokens(chunk.text) + _MARKER_TOKENS
        if tokens + cost > budget_tokens:
            left_out += 1
            continue
        tokens += cost
        passages = _with_chunk(
            passages,
            Passage(
                document_id=chunk.document_id,
                page_number=chunk.page_number,
                start=chunk.start,
                end=chunk.end,
                text=chunk.text,
                tokens=cost,
                score=hit.score,
                rank_by_words=ranks[0].get(hit.chunk_id),
                rank_by_meaning=ranks[1].get(hit.chunk_id),
            ),
        )
    return Found(passages=tuple(passages), tokens=tokens, left_out=left_out)


def _with_chunk(passages: Sequence[Passage], added: Passage) -> list[Passage]:
    """Put a passage behind the others, joined with those that it touches."""
    kept: list[Passage] = []
    place: int | None = None
    for passage in passages:
        if _touches(passage, added):
            added = _joined(passage, added)
            place = len(kept) if place is None else place
        else:
            kept.append(passage)
    kept.insert(len(kept) if place is None else place, added)
    return kept


def _touches(a: Passage, b: Passage) -> bool:
    same_page = (a.document_id, a.page_number) == (b.document_id, b.page_number)
    return same_page and (a.end == b.start or b.end == a.start)


def _joined(a: Passage, b: Passage) -> Passage:
    first, second = (a, b) if a.start < b.start else (b, a)
    return msgspec.structs.replace(
        first,
        end=second.end,
        text=first.text + second.text,
        tokens=a.tokens + b.tokens,
        score=max(a.score, b.score),
        rank_by_words=_better(a.rank_by_words, b.rank_by_words),
        rank_by_meaning=_better(a.rank_by_meaning, b.rank_by_meaning),
    )


def _better(a: int | None, b: int | None) -> int | None:
    return min((rank for rank in (a, b) if rank is not None), default=None)


def passages_block(
    passages: Sequence[Passage], names: Mapping[str, str], pages: Mapping[tuple[str, int], Page]
) -> str:
    """The passages as text for the end of the prompt, near the question.

    Args:
        passages: What to send.
        names: Citation name of each document, by id.
        pages: The pages that passages are on, by (document id, page number).
    """
    if not passages:
        return ""
    parts = ["<passages>"]
    for passage in passages:
        page = pages[passage.document_id, passage.page_number]
        parts.append(f"{page_marker(names[passage.document_id], page)}\n{passage.text.strip()}\n")
    return "\n".join([*parts, "</passages>\n"])
