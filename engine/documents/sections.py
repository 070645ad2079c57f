"""Where a document without pages is cut: at headings, at blank lines, at line ends.

A cut-off piece is a `Page` like any other: about a printed page of text, with an anchor that a
reader can find again (``§ 3``, ``lines 41-80``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.documents.draft import Draft

PAGE_CHARS = 3000
"""A piece ends at the first good place after this many characters."""

MAX_PAGE_CHARS = 6000
"""A piece never grows beyond this."""

_SMALL_SECTION_CHARS = 600


class SectionWriter:
    """Gathers headings and blocks of Markdown into sections, and writes them to a draft.

    Small sections share a piece, long ones are cut between blocks. Every heading enters the
    outline.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._blocks: list[str] = []
        self._size = 0
        self._heading = ""
        self._in_force = ""
        self._titles: list[tuple[str, int]] = []
        self._in_list = False
        self._images = 0

    def heading(self, level: int, title: str) -> None:
        """Begin a section. Level 1 is the outermost."""
        title = " ".join(title.split())
        if not title:
            return
        if self._size >= _SMALL_SECTION_CHARS or (level <= 2 and self._has_body()):
            self.end_page()
        if not self._blocks:
            self._heading = title
        self._in_force = title
        self._titles.append((title, level - 1))
        self._append(f"{'#' * min(level, 6)} {title}")

    def block(self, text: str) -> None:
        """Add a paragraph, a list, a table, a piece of code."""
        for piece in split_long(text):
            if self._blocks and self._size + len(piece) > PAGE_CHARS and self._has_body():
                self.end_page()
            self._append(piece)

    def list_item(self, line: str) -> None:
        """Add an item; items that follow one another make one list."""
        if self._in_list and self._blocks and self._size + len(line) <= PAGE_CHARS:
            self._blocks[-1] += f"\n{line}"
            self._size += len(line) + 1
        else:
            self.block(line)
            self._in_list = True

    def images(self, count: int) -> None:
        """Count images that stand here and are not read."""
        self._images += count

    def end_page(self) -> None:
        """Write what was gathered as a page; nothing when there is nothing."""
        if not self._blocks:
            self._draft.note_images(self._images)
            self._images = 0
            return
        self._draft.add_page(
            "\n\n".join(self._blocks),
            heading=self._heading,
            mark="§",
            images=self._images,
        )
        for title, level in self._titles:
            self._draft.add_outline(title, len(self._draft.pages), level)
        self._blocks, self._titles, self._size, self._images = [], [], 0, 0
        self._heading = self._in_force

    def _has_body(self) -> bool:
        """Whether more than headings was gathered: a page never ends on its heading."""
        return len(self._blocks) > len(self._titles)

    def _append(self, block: str) -> None:
        self._in_list = False
        self._blocks.append(block)
        self._size += len(block) + 2


def split_long(text: str) -> Iterator[str]:
    """Cut a block that is longer than a page may be, at line ends where there are some."""
    if len(text) <= MAX_PAGE_CHARS:
        if text.strip():
            yield text
        return
    for _, _, piece in split_lines(text.split("\n")):
        if piece.strip():
            yield piece


def split_lines(lines: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Cut lines into pieces; yield (first line number, last line number, text).

    A piece ends at a blank line once it is long enough, else at a line end. A line longer than
    `MAX_PAGE_CHARS` is cut into pieces of its own, all with its number.
    """
    gathered: list[str] = []
    size = 0
    first = number = 1
    for number, line in enumerate(lines, start=1):
        if gathered and size + len(line) > MAX_PAGE_CHARS:
            yield first, number - 1, "\n".join(gathered)
            gathered, size, first = [], 0, number
        while len(line) > MAX_PAGE_CHARS:
            yield number, number, line[:MAX_PAGE_CHARS]
            line = line[MAX_PAGE_CHARS:]
        gathered.append(line)
        size += len(line) + 1
        if size >= PAGE_CHARS and not line.strip():
            yield first, number, "\n".join(gathered)
            gathered, size, first = [], 0, number + 1
    if gathered:
        yield first, number, "\n".join(gathered)
