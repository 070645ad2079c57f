"""Workbooks: each sheet as Markdown tables, rows numbered as the program shows them."""

from __future__ import annotations

import datetime
import re
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

import openpyxl

from engine.documents.archive import Archive, open_archive
from engine.documents.sections import PAGE_CHARS
from engine.documents.tables import TablePager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_SAMPLE_ROWS = 50
_STEP_ROWS = 1024
_FORMULA = re.compile(rb"<f[\s>/]")
_MEDIA = re.compile(r"xl/(media|charts)/[^/]+\.(?!rels)")

Row = tuple[int, list[str]]


def read_xlsx(source: Source, draft: Draft) -> None:
    """Read all sheets, hidden ones too.

    Raises:
        UserError: Damaged or too big.
    """
    with open_archive(source, draft) as archive:
        has_formulas = _has_formulas(archive)
        pictured = sum(bool(_MEDIA.match(name)) for name in archive.entries)
    with source.open() as stream, source.open() as again:
        values = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        # A second look at formulas, because one that was never computed has no value to show.
        formulas = openpyxl.load_workbook(again, read_only=True) if has_formulas else None
        for sheet in values.worksheets:
            twin = formulas[sheet.title] if formulas is not None else None
            _read_sheet(sheet, twin, draft)
    draft.note_images(pictured)


def _read_sheet(sheet: ReadOnlyWorksheet, twin: ReadOnlyWorksheet | None, draft: Draft) -> None:
    rows = _rows(sheet, twin, draft)
    first = next(rows, None)
    if first is None:
        return
    number, header = first
    sample = list(islice(rows, _SAMPLE_ROWS))
    width = max(len(header), *(len(row) for _, row in sample), 1)
    header = [*header, *[""] * (width - len(header))]
    title, page_number = sheet.title, len(draft.pages) + 1
    pages = TablePager(header, PAGE_CHARS).pages(chain(sample, rows))
    for start, last, table in pages:
        draft.add_page(
            table, label=f"{sheet.title} {start}-{last}", heading=sheet.title, mark="sheet"
        )
    if not sample:
        table = TablePager(header, PAGE_CHARS).header_only()
        draft.add_page(table, label=f"{title} {number}", heading=title, mark="sheet")
    draft.add_outline(title, page_number, 0)


def _rows(sheet: ReadOnlyWorksheet, twin: ReadOnlyWorksheet | None, draft: Draft) -> Iterator[Row]:
    """Rows that hold anything, with their numbers, without the empty cells at their ends."""
    # A file may claim a million rows of sixteen thousand cells; only what is there counts.
    sheet.reset_dimensions()
    shown = sheet.iter_rows(values_only=True)
    written: Iterator[tuple[object, ...]] = iter(())
    if twin is not None:
        twin.reset_dimensions()
        written = twin.iter_rows(values_only=True)
    for number, (values, sources) in enumerate(zip_longest(shown, written, fillvalue=()), start=1):
        if number % _STEP_ROWS == 0:
            draft.step(number, 0)
        cells = [_cell(value) for value in values]
        for index, formula in enumerate(sources[: len(cells)]):
            if not cells[index] and isinstance(formula, str) and formula.startswith("="):
                cells[index] = formula
                draft.note("documents.note_formulas")
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            yield number, cells


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat(*([" "] if isinstance(value, datetime.datetime) else []))
    return str(value)


def _has_formulas(archive: Archive) -> bool:
    sheets = (name for name in archive.entries if name.startswith("xl/worksheets/"))
    return any(_FORMULA.search(archive.read(name)) for name in sheets)
