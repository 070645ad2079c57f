"""Pages cut into the pieces that are searched.

A chunk never crosses a page, so a hit is on exactly one page, and the chunks of a page follow one
another without gap or overlap, so neighbours can be joined again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.documents.model import Page

CHUNKING_VERSION = 1
"""Counts up when pages are cut in another way: what was stored of chunks is made anew then."""
CHUNK_CHARS = 600
_MIN_CHARS = 200
# Where a chunk may end, the best places first: a blank line, a line's end after a full stop, a
# sentence's end, a line's end, a space.
_ENDS = tuple(
    re.compile(pattern)
    for pattern in (r"\n\s*\n", r"(?<=[.!?:;])\n", r"(?<=[.!?。！？])\s", r"\n", r"\s")  # noqa: RUF001
)


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a page: `text` is the page's text from `start` to `end`."""

    document_id: str
    page_number: int
    start: int
    end: int
    text: str


def chunk_page(document_id: str, page: Page, size: int = CHUNK_CHARS) -> Iterator[Chunk]:
    """Cut a page's text into chunks of at most `size` characters."""
    text, start = page.text, 0
    while start < len(text):
        end = _end_of_chunk(text, start, size)
        if text[start:end].strip():
            yield Chunk(
                document_id=document_id,
                page_number=page.number,
                start=start,
                end=end,
                text=text[start:end],
            )
        start = end


def _end_of_chunk(text: str, start: int, size: int) -> int:
    if len(text) - start <= size:
        return len(text)
    for place in _ENDS:
        last = 0
        for found in place.finditer(text, start + min(_MIN_CHARS, size // 2), start + size):
            last = found.end()
        if last:
            return last
    return start + size
