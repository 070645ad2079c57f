"""Reciprocal rank fusion: several rankings made one, without comparing their scores.

Source: Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods", SIGIR 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAMPING = 8
"""How slowly a place in a ranking loses weight. The paper's 60 is for rankings of whole documents;
here it lets chunks that both rankings find mediocre overtake what one of them puts first. Between 4
and 8 the questions that were measured find most, those in the text's words and those in others.
"""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that was found: larger scores are better; ranks count from 1."""

    chunk_id: int
    score: float
    rank: int


def fuse(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """One ranking in which a chunk scores the sum of 1 / (_DAMPING + rank) over `rankings`."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for hit in ranking:
            scores[hit.chunk_id] = scores.get(hit.chunk_id, 0.0) + 1 / (_DAMPING + hit.rank)
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [
        Hit(chunk_id=chunk_id, score=score, rank=rank)
        for rank, (chunk_id, score) in enumerate(ordered, start=1)
    ]
