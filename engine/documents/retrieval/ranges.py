"""Ranges of chunk ids: which of them a search asks SQLite about, and what lies in them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Range = tuple[int, int]
"""First and last id."""

# As many as SQLite takes in one condition.
_MOST_RANGES = 200


class Inside:
    """Whether an id lies in one of many ranges that rise."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        rising = sorted(ranges)
        self._firsts = [first for first, _last in rising]
        self._lasts = [last for _first, last in rising]

    def __contains__(self, chunk_id: int) -> bool:
        at = bisect_right(self._firsts, chunk_id) - 1
        return at >= 0 and chunk_id <= self._lasts[at]


def few(ranges: list[Range]) -> list[Range]:
    """Ranges that hold all of these, few enough for one condition."""
    if len(ranges) <= _MOST_RANGES:
        return ranges
    rising = sorted(ranges)
    # The widest gaps between them are worth a range of their own.
    gaps = sorted(pairwise(rising), key=lambda two: two[0][1] - two[1][0])[: _MOST_RANGES - 1]
    ends = [before[1] for before, _after in sorted(gaps)] + [rising[-1][1]]
    starts = [rising[0][0]] + [after[0] for _before, after in sorted(gaps)]
    return list(zip(starts, ends, strict=True))
