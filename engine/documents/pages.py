"""Choosing pages: ``"3-9, 12"`` to page numbers and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.documents.model import Document, Page

_SHOWN_RUNS = 8


def chosen_pages(document: Document, selection: str) -> tuple[Page, ...]:
    """The pages a selection names, in the document's order; all of them when it is empty.

    Raises:
        UserError: ``app.bad_pages`` when it names none, or cannot be understood.
    """
    if not selection.strip():
        return document.pages
    numbers = _numbers(selection, len(document.pages))
    pages = tuple(page for page in document.pages if page.number in numbers)
    if not pages:
        raise UserError("app.bad_pages", pages=selection, last=len(document.pages))
    return pages


def as_selection(numbers: Iterable[int]) -> str:
    """Page numbers as text, runs joined: ``"1-3, 7"``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def shown_selection(numbers: Iterable[int]) -> str:
    """Page numbers for a sentence: of a long list the first and the last."""
    runs = as_selection(numbers).split(", ")
    if len(runs) <= _SHOWN_RUNS:
        return ", ".join(runs)
    return f"{', '.join(runs[: _SHOWN_RUNS - 1])} … {runs[-1]}"


def _numbers(selection: str, last: int) -> set[int]:
    numbers: set[int] = set()
    for part in selection.split(","):
        first, dash, end = part.strip().partition("-")
        bounds = _bounds(first, end or (str(last) if dash else first), selection, last)
        numbers.update(range(bounds[0], min(bounds[1], last) + 1))
    return numbers


def _bounds(first: str, end: str, selection: str, last: int) -> Sequence[int]:
    try:
        return int(first), int(end)
    except ValueError:
        raise UserError("app.bad_pages", pages=selection, last=last) from None
