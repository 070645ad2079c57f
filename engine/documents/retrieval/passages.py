"""From a question to the passages that are sent with it.

The best chunks are taken as long as their tokens fit the budget; chunks that touch on a page become
one passage; what was found, and by which ranking, stays with it for the panel that shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from engine.documents.prompt import page_marker
from engine.documents.retrieval.found import Candidate, Found, Passage
from engine.documents.retrieval.fuse import Hit, fuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.documents.model import Document, Page
    from engine.documents.retrieval.chunks import Chunk
    from engine.documents.retrieval.found import LeftOut
    from engine.documents.retrieval.index import DocumentIndex, Pages
    from engine.embedding.client import Embedded
    from engine.embedding.model_file import Role

_CANDIDATES = 50
_MARKER_TOKENS = 16
"""What a passage's own marker and line ends may take, counted with each passage."""


_RUNNERS_UP = 8
"""How many that came after the best are told of, so that one can see what was missed."""
_EMBEDDED_AT_ONCE = 32


class Embedder(Protocol):
    """Turns texts into vectors; runs elsewhere (a process of its own)."""

    @property
    def model_id(self) -> str:
        """Names the model, so that its vectors are never mixed with another's."""

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Embedded:
        """One vector per text, and which texts were too long for it."""


class Retriever:
    """Searches an index. Holds no state of its own; may be used from any one thread at a time."""

    def __init__(self, index: DocumentIndex, embedder: Embedder | None = None) -> None:
        self._index = index
        self._embedder = embedder

    def prepare(
        self,
        document: Document,
        progress: Callable[[int, int], bool] | None = None,
    ) -> bool:
        """Index a document, and embed what is not embedded yet, in batches.

        Args:
            document: What to prepare.
            progress: Told how many chunks are embedded, of how many; stops it by answering False.
                What is embedded until then is kept.

        Returns:
            Whether everything is embedded, or nothing has to be.
        """
        total = self._index.add(document)
        if self._embedder is None:
            return True
        model_id = self._embedder.model_id
        missing = self._index.without_vector(document.id, model_id)
        for at in range(0, len(missing), _EMBEDDED_AT_ONCE):
            if progress is not None and not progress(total - len(missing) + at, total):
                return False
            batch = missing[at : at + _EMBEDDED_AT_ONCE]
            vectors, shortened = self._embedder.embed([text for _, text in batch])
            ids = [one for one, _ in batch]
            self._index.add_vectors(document.id, model_id, ids, vectors, shortened)
        if progress is not None and missing:
            progress(total, total)
        return True

    def find(
        self,
        question: str,
        document_ids: Sequence[str],
        *,
        budget_tokens: int,
        count_tokens: Callable[[Sequence[str]], Sequence[int]],
        limit: int = 8,
        pages: Pages | None = None,
    ) -> Found:
        """The passages to send with `question`, at most `limit` chunks and within the budget.

        Args:
            question: What the user asks.
            document_ids: Prepared documents to search.
            budget_tokens: Tokens that the passages may take, their markers included.
            count_tokens: Counts each of several texts as the model does.
            limit: How many chunks to take at most.
            pages: Pages that count, by document.
        """
        candidates = max(_CANDIDATES, limit + _RUNNERS_UP)
        by_words = self._index.search_words(question, document_ids, candidates, pages=pages)
        by_meaning: list[Hit] = []
        if self._embedder is not None:
            vector = self._embedder.embed([question], "question").vectors[0]
            by_meaning = self._index.search_vector(
                vector, self._embedder.model_id, document_ids, candidates, pages=pages
            )
        hits = fuse([ranking for ranking in (by_words, by_meaning) if ranking])
        hits = hits[: limit + _RUNNERS_UP]
        chunks = self._index.chunks(hit.chunk_id for hit in hits)
        texts = [chunks[hit.chunk_id].text for hit in hits]
        costs = [cost + _MARKER_TOKENS for cost in count_tokens(texts)] if texts else []
        listed = _judged(hits, costs, chunks, (by_words, by_meaning), budget_tokens, limit)
        passages: list[Passage] = []
        for one, hit in zip(listed, hits, strict=True):
            if not one.left_out:
                passages = _with_chunk(passages, _passage(one, chunks[hit.chunk_id]))
        return Found(
            passages=tuple(passages),
            candidates=tuple(listed),
            tokens=sum(one.tokens for one in listed if not one.left_out),
        )


def _judged(
    hits: Sequence[Hit],
    costs: Sequence[int],
    chunks: Mapping[int, Chunk],
    rankings: tuple[Sequence[Hit], Sequence[Hit]],
    budget_tokens: int,
    limit: int,
) -> list[Candidate]:
    """What becomes of each hit: the best are sent as long as there is room."""
    by_words, by_meaning = ({hit.chunk_id: hit for hit in one} for one in rankings)
    listed: list[Candidate] = []
    spent = 0
    for hit, cost in zip(hits, costs, strict=True):
        chunk = chunks[hit.chunk_id]
        words, meaning = by_words.get(hit.chunk_id), by_meaning.get(hit.chunk_id)
        left_out: LeftOut = "rank" if hit.rank > limit else ""
        if not left_out and spent + cost > budget_tokens:
            left_out = "budget"
        spent += 0 if left_out else cost
        listed.append(
            Candidate(
                document_id=chunk.document_id,
                page_number=chunk.page_number,
                start=chunk.start,
                end=chunk.end,
                text=chunk.text,
                tokens=cost,
                rank=hit.rank,
                score=hit.score,
                rank_by_words=words.rank if words else None,
                score_by_words=words.score if words else None,
                rank_by_meaning=meaning.rank if meaning else None,
                score_by_meaning=meaning.score if meaning else None,
                left_out=left_out,
            )
        )
    return listed


def _passage(candidate: Candidate, chunk: Chunk) -> Passage:
    return Passage(
        document_id=chunk.document_id,
        page_number=chunk.page_number,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        tokens=candidate.tokens,
        score=candidate.score,
        rank_by_words=candidate.rank_by_words,
        rank_by_meaning=candidate.rank_by_meaning,
    )


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
        chunks=a.chunks + b.chunks,
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
