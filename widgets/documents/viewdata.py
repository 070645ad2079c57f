"""What the document viewer shows, as plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageView:
    """One page of a document.

    Attributes:
        name: File name of the document.
        number: Position of the page, from 1.
        count: How many pages the document has.
        label: What the file itself calls the page.
        text: What was read of it.
        span: From where to where a passage is highlighted in the text; `None` for none.
        cited: A sentence about the citation that led here; empty for none.
        is_found: Whether the cited words stand on this page.
        has_picture: Whether a drawing of the page follows.
    """

    name: str
    number: int
    count: int
    label: str
    text: str
    span: tuple[int, int] | None = None
    cited: str = ""
    is_found: bool = False
    has_picture: bool = False
