"""Cuts documents into parts that each fill the window, at the borders of pages.

A page that is longer than a part is cut between paragraphs, sentences or words; each stretch of it
keeps the page's marker, so that notes can cite it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.documents.pages import as_selection
from engine.documents.prompt import page_marker
from engine.documents.retrieval.chunks import CHUNK_CHARS, chunk_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.documents.model import Page

    Count = Callable[[Sequence[str]], Sequence[int]]

_BATCH = 256
_RANGE = re.compile(r"(\d+)-(\d+)")
_SMALLEST_CHARS = 16


class Source(NamedTuple):
    """A document to be read: its citation name, its file's name, and the pages that are wanted."""

    document_id: str
    name: str
    file_name: str
    pages: tuple[Page, ...]


class Stretch(NamedTuple):
    """A page, or the piece of it from `start` to `end`."""

    page: Page
    start: int
    end: int

    @property
    def text(self) -> str:
        """What is read of it."""
        return self.page.text[self.start : self.end]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is read at once: consecutive pages of one document.

    Attributes:
        number: From 1, over all documents.
        name: Citation name of its document.
        pages: Page numbers, as a selection: ``"3-9"``.
        place: The same for people, by the pages' own labels: ``"p. 3"``, or the first and the last.
        text: As it stands in the prompt, markers included.
        tokens: Of `text`, by the model's own vocabulary.
    """

    number: int
    document_id: str
    name: str
    file_name: str
    pages: str
    place: str
    text: str
    tokens: int


def cut(sources: Sequence[Source], room_tokens: int, count: Count) -> tuple[Part, ...]:
    """The parts of all documents, in order. Blank pages hold nothing to read and are left out.

    Args:
        sources: What is to be read.
        room_tokens: What the text of a part may take.
        count: Tokens of texts, each by itself.
    """
    parts: list[Part] = []
    for source in sources:
        frame = count([part_text(source.name, ())])[0]
        sized = list(_sized(source, room_tokens - frame, count))
        for group in _filled([tokens for _, tokens in sized], room_tokens - frame):
            stretches = _joined([sized[index][0] for index in group])
            parts.append(
                Part(
                    number=len(parts) + 1,
                    document_id=source.document_id,
                    name=source.name,
                    file_name=source.file_name,
                    pages=as_selection(one.page.number for one in stretches),
                    place=_place(stretches[0], stretches[-1]),
                    text=part_text(source.name, stretches),
                    tokens=frame + sum(sized[index][1] for index in group),
                )
            )
    return tuple(parts)


def part_text(name: str, stretches: Sequence[Stretch]) -> str:
    """Stretches of one document as text for the prompt."""
    lines = [f'<document name="{name}">']
    lines += [_marked(name, one) for one in stretches]
    return "\n".join([*lines, "</document>\n"])


def _marked(name: str, stretch: Stretch) -> str:
    return f"{page_marker(name, stretch.page)}\n{stretch.text}\n"


def _sized(source: Source, room: int, count: Count) -> Iterator[tuple[Stretch, int]]:
    """Pages with their tokens; a page that exceeds the room comes in stretches that do not."""
    pages = [Stretch(page, 0, len(page.text)) for page in source.pages if page.text.strip()]
    for at in range(0, len(pages), _BATCH):
        batch = pages[at : at + _BATCH]
        sizes = count([_marked(source.name, one) for one in batch])
        for stretch, tokens in zip(batch, sizes, strict=True):
            if tokens <= room:
                yield stretch, tokens
            else:
                yield from _pieces(source.name, stretch, room, count, CHUNK_CHARS)


def _pieces(
    name: str, stretch: Stretch, room: int, count: Count, size: int
) -> Iterator[tuple[Stretch, int]]:
    page = msgspec.structs.replace(stretch.page, text=stretch.text)
    pieces = [
        Stretch(stretch.page, stretch.start + chunk.start, stretch.start + chunk.end)
        for chunk in chunk_page("", page, size)
    ]
    for piece, tokens in zip(pieces, count([_marked(name, one) for one in pieces]), strict=True):
        if tokens <= room or size <= _SMALLEST_CHARS:
            yield piece, tokens
        else:
            yield from _pieces(name, piece, room, count, max(_SMALLEST_CHARS, size // 4))


def _filled(sizes: Sequence[int], room: int) -> Iterator[list[int]]:
    """Indexes grouped in order, each group as full as the room allows."""
    group: list[int] = []
    used = 0
    for index, size in enumerate(sizes):
        if group and used + size > room:
            yield group
            group, used = [], 0
        group.append(index)
        used += size
    if group:
        yield group


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Pieces of one page that follow one another, as one."""
    joined: list[Stretch] = []
    for one in stretches:
        last = joined[-1] if joined else None
        # What lies between two pieces of a page is white space.
        if last is not None and last.page.number == one.page.number:
            joined[-1] = Stretch(last.page, last.start, one.end)
        else:
            joined.append(one)
    return joined


def _place(begin_at: Stretch, end_at: Stretch) -> str:
    first, last = begin_at.page, end_at.page
    if first.number == last.number:
        length = len(first.text)
        if (begin_at.start, end_at.end) == (0, length):
            return first.anchor
        begins, ends = (round(100 * at / length) for at in (begin_at.start, end_at.end))
        return f"{first.anchor} ({begins}\u2013{ends} %)"
    if first.mark != last.mark:
        return f"{first.anchor} \u2013 {last.anchor}"
    # A page of lines or rows is called by its own range: the first and the last of them are told.
    begin, end = (_RANGE.fullmatch(page.label) for page in (first, last))
    if begin is not None and end is not None:
        return f"{first.mark} {begin[1]}\u2013{end[2]}"
    return f"{first.mark} {first.label}\u2013{last.label}"
