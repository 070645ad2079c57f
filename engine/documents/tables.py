"""Tables as Markdown, so that a model sees rows and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def cell_text(value: str) -> str:
    """A cell's text on one line, with the column mark escaped."""
    lines = value.replace("\\", "\\\\").replace("|", "\\|").replace("\r\n", "\n").split("\n")
    return "<br>".join(" ".join(line.split()) for line in lines if line.strip())


def table_row(cells: Sequence[str], width: int) -> str:
    """One row, padded to `width` cells."""
    padded = [cell_text(cell) for cell in cells] + [""] * (width - len(cells))
    return f"| {' | '.join(padded)} |"


def rule(width: int) -> str:
    """The line under a table's header."""
    return f"|{' --- |' * width}"


def markdown_table(rows: Iterable[Sequence[str]]) -> str:
    """A whole table, its first row the header. Empty when there is no row."""
    listed = [row for row in rows if any(cell.strip() for cell in row)]
    if not listed:
        return ""
    width = max(len(row) for row in listed)
    lines = [table_row(row, width) for row in listed]
    return "\n".join([lines[0], rule(width), *lines[1:]])


class TablePager:
    """Cuts a long table into pages of whole rows, each page with the header again.

    Rows may come from a stream; nothing but the page in progress is kept.
    """

    def __init__(self, header: Sequence[str], page_chars: int) -> None:
        self._width = max(1, len(header))
        self._header = header
        self._page_chars = page_chars

    def pages(self, rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[tuple[int, int, str]]:
        """Yield (first row number, last row number, Markdown) for numbered rows."""
        lines: list[str] = []
        size = first = last = 0
        for number, row in rows:
            line = table_row(row, self._width)
            if lines and size + len(line) > self._page_chars:
                yield first, last, self._table(lines)
                lines, size = [], 0
            first = first if lines else number
            last = number
            lines.append(line)
            size += len(line) + 1
        if lines:
            yield first, last, self._table(lines)

    def header_only(self) -> str:
        """The table without a row."""
        return self._table([])

    def _table(self, lines: list[str]) -> str:
        return "\n".join([table_row(self._header, self._width), rule(self._width), *lines])
