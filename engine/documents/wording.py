"""A page's words, for finding what someone says is there.

Case, punctuation, line ends and the shape of quotation marks do not count; the words and their
order do. Whatever is found is given as a stretch of the page's own text, to be shown.
"""

from __future__ import annotations

import re
import unicodedata

from engine.documents.retrieval.words import COMMON_WORDS

_WORD = re.compile(r"[^\W_]+")
_ELLIPSIS = re.compile(r"\s*(?:\.\s?\.\s?\.|\u2026|\[\u2026\]|\[\.\.\.\])\s*")
_WINDOW_WORDS = 120
_NEEDED_SHARE = 0.7
_MIN_TELLING = 2
_STEM_CHARS = 5
_SHORT_WORD_CHARS = 3


class Wording:
    """The words of one text and where each stands."""

    def __init__(self, text: str) -> None:
        self._words: list[str] = []
        self._spans: list[tuple[int, int]] = []
        # Searched without spaces, because line ends divide words and hyphens come and go; a match
        # counts only from the beginning of a word to the end of one.
        self._word_at: dict[int, int] = {}
        self._word_before: dict[int, int] = {}
        at = 0
        for index, found in enumerate(_WORD.finditer(text)):
            word = _plain(found[0])
            self._words.append(word)
            self._spans.append(found.span())
            self._word_at[at] = index
            at += len(word)
            self._word_before[at] = index
        self._compact = "".join(self._words)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Where a quotation stands, word for word; an ellipsis in it may stand for anything."""
        at, first, last = 0, -1, -1
        for part in _ELLIPSIS.split(quote):
            wanted = "".join(_plain(word) for word in _WORD.findall(part))
            if not wanted:
                continue
            found = self._find_words(wanted, at)
            if found < 0:
                return None
            at = found + len(wanted)
            first = self._word_at[found] if first < 0 else first
            last = self._word_before[at]
        return (self._spans[first][0], self._spans[last][1]) if first >= 0 else None

    def _find_words(self, wanted: str, at: int) -> int:
        """Where whole words that make up `wanted` begin, from `at` on; -1 when nowhere."""
        while (at := self._compact.find(wanted, at)) >= 0:
            if at in self._word_at and at + len(wanted) in self._word_before:
                return at
            at += 1
        return -1

    def find_claim(self, claim: str) -> tuple[int, int] | None:
        """Where the words that a sentence turns on stand together.

        All of its figures, and most of its longer words in any form of theirs, must be within
        a paragraph's length of one another.
        """
        figures, telling = _telling(claim)
        if len(figures) + len(telling) < _MIN_TELLING:
            return None
        places = [
            (index, word if word[0].isdigit() else _stem(word))
            for index, word in enumerate(self._words)
        ]
        places = [(index, key) for index, key in places if key in figures or key in telling]
        best: tuple[int, int] | None = None
        best_share = 0.0
        for begin, (first, _) in enumerate(places):
            seen: set[str] = set()
            last = first
            for index, key in places[begin:]:
                if index - first > _WINDOW_WORDS:
                    break
                if key not in seen:
                    seen.add(key)
                    last = index
            share = len(seen & telling) / len(telling) if telling else 1.0
            if figures <= seen and share >= _NEEDED_SHARE and share > best_share:
                best, best_share = (first, last), share
        return (self._spans[best[0]][0], self._spans[best[1]][1]) if best else None


def _plain(word: str) -> str:
    """A word without case, accents and ligatures."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in decomposed if char.isalnum()) or word


def _stem(word: str) -> str:
    return word[:_STEM_CHARS]


def _telling(claim: str) -> tuple[set[str], set[str]]:
    """A sentence's figures, and the beginnings of its longer words."""
    words = [_plain(word) for word in _WORD.findall(claim)]
    figures = {word for word in words if word[0].isdigit()}
    long_enough = (word for word in words if len(word) > _SHORT_WORD_CHARS)
    telling = {_stem(word) for word in long_enough if word not in COMMON_WORDS} - figures
    return figures, telling
