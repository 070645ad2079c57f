"""What the document viewer shows, as plain frozen data."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage

Span = tuple[int, int]


class OutlineItemView(msgspec.Struct, frozen=True):
    """A line of the table of contents; level 0 is the outermost."""

    title: str
    page_number: int
    level: int = 0


class DocumentView(msgspec.Struct, frozen=True):
    """What stays while pages are turned.

    Attributes:
        name: What the document is called.
        facts: Format, pages and words in a line.
        outline: Its table of contents, possibly empty.
    """

    name: str
    facts: str = ""
    outline: tuple[OutlineItemView, ...] = ()


class NoticeView(msgspec.Struct, frozen=True):
    """Why a page is not shown as it looks, and what can be done.

    Attributes:
        action: Id of the choice, which comes back in a signal; empty for none.
        label: What its button says.
    """

    text: str
    action: str = ""
    label: str = ""


class PageView(msgspec.Struct, frozen=True):
    """One page of a document.

    Attributes:
        number: Position of the page, from 1.
        count: How many pages the document has.
        label: What the file itself calls the page; empty where that is its number.
        text: What was read of it.
        spans: Stretches of the text that are highlighted.
        current: Which of them is looked at; -1 for none.
        tokens: Tokens of the text; None where they are not counted.
        unread: A sentence about what was not read of the page; empty for nothing.
        cited: A sentence about the citation that led here; empty for none.
        is_found: Whether the cited words stand on this page.
        has_picture: Whether a drawing of the page follows.
        notice: Why it does not, where that is not a matter of course.
    """

    number: int
    count: int
    label: str
    text: str
    spans: tuple[Span, ...] = ()
    current: int = -1
    tokens: int | None = None
    unread: str = ""
    cited: str = ""
    is_found: bool = False
    has_picture: bool = False
    notice: NoticeView | None = None


class PictureView(msgspec.Struct, frozen=True):
    """A page as it looks.

    Attributes:
        number: Which page.
        image: The picture; a null one when there is none.
        boxes: For each of the page's spans its lines, in shares of width and height.
        width_pt: How wide the page is by itself, in points.
    """

    number: int
    image: QImage
    boxes: tuple[tuple[QRectF, ...], ...] = ()
    width_pt: float = 0.0
