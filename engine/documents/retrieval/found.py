"""What a search gives, as data: the passages to send, and everything that was found."""

from __future__ import annotations

from typing import Literal

import msgspec

LeftOut = Literal["", "budget", "rank"]


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one page that answers to the question, as it is sent.

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
        chunks: How many chunks it is joined from.
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
    chunks: int = 1


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that was found, and what became of it.

    Attributes:
        document_id: The document it is from.
        page_number: The page it is on, from 1.
        start: Where it begins in the page's text.
        end: Where it ends there.
        text: The chunk itself.
        tokens: What it takes of the budget.
        rank: Its place in the fused ranking, from 1.
        score: Its score there.
        rank_by_words: Its place in the ranking by words; None when not in it.
        score_by_words: Its BM25 score.
        rank_by_meaning: Its place in the ranking by embeddings; None when not in it.
        score_by_meaning: The cosine of its angle to the question.
        left_out: Empty when it was sent; otherwise it was over the budget, or behind the best.
    """

    document_id: str
    page_number: int
    start: int
    end: int
    text: str
    tokens: int
    rank: int
    score: float
    rank_by_words: int | None = None
    score_by_words: float | None = None
    rank_by_meaning: int | None = None
    score_by_meaning: float | None = None
    left_out: LeftOut = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search gave.

    Attributes:
        passages: What to send, best first, neighbours joined.
        candidates: All that was found, best first: what is sent, and what is not.
        tokens: What the passages take of the budget.
    """

    passages: tuple[Passage, ...]
    candidates: tuple[Candidate, ...]
    tokens: int

    @property
    def left_out(self) -> int:
        """How many of the best were over the budget."""
        return sum(one.left_out == "budget" for one in self.candidates)
