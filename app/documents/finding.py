"""Finds words in a document, page by page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.documents.model import Document

MOST_MATCHES = 2000


class Match(NamedTuple):
    """Where the words stand: the page's number, and from where to where in its text."""

    page_number: int
    span: tuple[int, int]


def matches(document: Document, words: str) -> tuple[Match, ...]:
    """All places, in order, up to `MOST_MATCHES`; case and line ends make no difference.

    Takes a while with long documents: not for the GUI thread.
    """
    parts = words.split()
    if not parts:
        return ()
    pattern = re.compile(r"\s+".join(map(re.escape, parts)), re.IGNORECASE)
    found: list[Match] = []
    for page in document.pages:
        for match in pattern.finditer(page.text):
            found.append(Match(page.number, match.span()))
            if len(found) == MOST_MATCHES:
                return tuple(found)
    return tuple(found)


def first_from(found: tuple[Match, ...], page_number: int) -> int:
    """Which match comes first from a page on; the first of all behind the last one."""
    later = (at for at, match in enumerate(found) if match.page_number >= page_number)
    return next(later, 0)
