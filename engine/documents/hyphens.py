"""Words that a line end divided: which hyphens were the typesetter's, and which the author's.

pdfium marks such a hyphen and leaves the question open. The rest of the document answers it: a word
that stands elsewhere in one piece, or with its hyphen, is that here too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

# pdfium puts one of these in the hyphen's place, according to how the text is asked for.
_DIVIDED = re.compile("(\\w*)[\ufffe\x02]\r?\n?(\\w*)")
_MARKS = ("\ufffe", "\x02")
_WORD = re.compile(r"\w+(?:-\w+)*")
_WHOLE_WORD_CHARS = 4


def mend_divided_words(texts: Sequence[str]) -> Iterator[str]:
    """Yield the pages' texts with every divided word in one piece, hyphens of its own kept."""
    if not any(mark in text for text in texts for mark in _MARKS):
        yield from texts
        return
    words = {word.lower() for text in texts for word in _WORD.findall(text)}

    def mend(found: re.Match[str]) -> str:
        left, right = found[1], found[2]
        return (
            f"{left}-{right}" if _has_hyphen(left.lower(), right.lower(), words) else left + right
        )

    for text in texts:
        yield _DIVIDED.sub(mend, text)


def _has_hyphen(left: str, right: str, words: AbstractSet[str]) -> bool:
    if left + right in words:
        return False
    if f"{left}-{right}" in words:
        return True
    # Neither is seen elsewhere. Halves that are words by themselves make a compound; a half such as
    # "plates" that happens to be one is rarer than that.
    long_enough = min(len(left), len(right)) >= _WHOLE_WORD_CHARS
    return long_enough and left in words and right in words
