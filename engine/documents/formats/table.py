"""CSV and its relatives: rows as Markdown tables, the header on every page."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from engine.documents.formats.text import load_text
from engine.documents.sections import PAGE_CHARS
from engine.documents.tables import TablePager
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_MAX_CELL_CHARS = 4 * 1024 * 1024
_STEP_ROWS = 4096


def read_csv(source: Source, draft: Draft) -> None:
    """Rows are numbered as a spreadsheet numbers them: the header is row 1.

    Raises:
        UserError: ``documents.corrupt`` where a cell has no end.
    """
    lines = load_text(source, draft).splitlines(keepends=True)
    csv.field_size_limit(_MAX_CELL_CHARS)
    try:
        delimiter, width = _layout(lines[:_SAMPLE_LINES], source.name)
        rows = csv.reader(lines, delimiter=delimiter)
        header = next(rows, [])
        header += [""] * (width - len(header))
        pager = TablePager(header, PAGE_CHARS)
        for first, last, table in pager.pages(_numbered(rows, draft)):
            draft.add_page(table, label=f"{first}-{last}", mark="rows")
    except csv.Error as error:
        raise UserError("documents.corrupt", name=source.name, detail=repr(error)) from error
    if not draft.pages:
        draft.add_page(pager.header_only(), label="1", mark="rows")


def _numbered(rows: Iterator[list[str]], draft: Draft) -> Iterator[tuple[int, list[str]]]:
    for number, row in enumerate(rows, start=2):
        if any(cell.strip() for cell in row):
            yield number, row
        if number % _STEP_ROWS == 0:
            draft.step(number, 0)


def _layout(sample: list[str], name: str) -> tuple[str, int]:
    """The delimiter and the number of columns that most of the first rows agree on."""
    by_name = "\t" if PurePath(name).suffix.lower() in (".tsv", ".tab") else ","
    best, best_rows = (by_name, 1), 0
    for delimiter in dict.fromkeys(by_name + _DELIMITERS):
        widths = [len(row) for row in islice(csv.reader(sample, delimiter=delimiter), None) if row]
        width, rows = Counter(widths).most_common(1)[0] if widths else (1, 0)
        if width > 1 and rows > best_rows:
            best, best_rows = (delimiter, max(width, widths[0])), rows
    return best
