"""Carries a passage from what was read of a page to the same text as another reader sees it.

The two differ in blanks, line ends, hyphens and dots, but hardly ever in letters and digits: the
place of a passage is found by counting those.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left

Span = tuple[int, int]


class Letters:
    """The letters and digits of a text, without case and ligatures, and where each stands."""

    def __init__(self, text: str) -> None:
        self._places: list[int] = []
        letters: list[str] = []
        for at, char in enumerate(text):
            plain = char.lower() if char.isascii() else unicodedata.normalize("NFKC", char).lower()
            for letter in plain:
                if letter.isalnum():
                    letters.append(letter)
                    self._places.append(at)
        self._letters = "".join(letters)

    def counterpart(self, span: Span, other: Letters) -> Span | None:
        """Where a passage of this text stands in the other; None when it is not there."""
        first, last = self._range(span)
        if first >= last:
            return None
        if self._letters != other._letters:
            moved = self._nearest(first, last, other)
            if moved is None:
                return None
            first, last = moved
        return other._places[first], other._places[last - 1] + 1

    def _range(self, span: Span) -> Span:
        """Which letters lie in a stretch of the text."""
        return bisect_left(self._places, span[0]), bisect_left(self._places, span[1])

    def _nearest(self, first: int, last: int, other: Letters) -> Span | None:
        """The same run of letters in the other text, as near as possible to where it is here."""
        wanted = self._letters[first:last]
        expected = first * len(other._letters) / max(1, len(self._letters))
        best: int | None = None
        at = other._letters.find(wanted)
        while at >= 0:
            if best is None or abs(at - expected) < abs(best - expected):
                best = at
            at = other._letters.find(wanted, at + 1)
        return None if best is None else (best, best + last - first)
