"""Draws a page of a PDF through pdfium and finds passages on it."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pypdfium2
import pypdfium2.raw as pdfium_c

from engine.documents.drawing.letters import Letters
from engine.documents.messages import Box, Drawing, NotDrawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.documents.messages import DrawRequest

_LONGEST_SIDE_PX = 6000
_PASSWORD_ERRORS = (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)

Point = tuple[float, float]
# Left, bottom, right, top in the page's own units, which grow upwards.
Rectangle = tuple[float, float, float, float]


class PageArtist:
    """Draws pages and keeps the file of the last one open. One thread."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._document: pypdfium2.PdfDocument | None = None

    def draw(self, request: DrawRequest) -> Drawing | NotDrawn:
        """Draw one page."""
        try:
            page = self._opened(request)[request.index]
        except pypdfium2.PdfiumError as error:
            locked = getattr(error, "err_code", None) in _PASSWORD_ERRORS
            return NotDrawn(reason="encrypted" if locked else "damaged")
        except (OSError, IndexError):
            return NotDrawn(reason="damaged")
        try:
            with closing(page):
                return _drawn(page, request)
        except pypdfium2.PdfiumError:
            return NotDrawn(reason="damaged")

    def _opened(self, request: DrawRequest) -> pypdfium2.PdfDocument:
        status = os.stat(request.path)
        key = (request.path, request.password, status.st_size, status.st_mtime_ns)
        if self._document is None or key != self._key:
            if self._document is not None:
                self._document.close()
                self._document = None
            self._document = pypdfium2.PdfDocument(request.path, password=request.password)
            self._key = key
        return self._document


def _drawn(page: pypdfium2.PdfPage, request: DrawRequest) -> Drawing:
    width, height = page.get_size()
    # The renderer rounds up: without the hair, rounding errors make it a pixel wider than asked.
    scale = min(
        (request.width_px - 0.01) / max(1.0, width), _LONGEST_SIDE_PX / max(1.0, width, height)
    )
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=True)
    boxes: tuple[tuple[Box, ...], ...] = ()
    if request.spans:
        places = bitmap.get_posconv(page)
        size = bitmap.width, bitmap.height
        with closing(page.get_textpage()) as text_page:
            found = _rectangles(text_page, request)
        boxes = tuple(
            tuple(
                _box(places.to_bitmap(left, top), places.to_bitmap(right, bottom), size)
                for left, bottom, right, top in each
            )
            for each in found
        )
    return Drawing(
        width_px=bitmap.width,
        height_px=bitmap.height,
        stride=bitmap.stride,
        pixels=bytes(bitmap.buffer),
        width_pt=width,
        boxes=boxes,
    )


def _rectangles(text_page: pypdfium2.PdfTextPage, request: DrawRequest) -> list[list[Rectangle]]:
    """For each passage its lines on the page."""
    raw = text_page.get_text_range()
    read, drawn = Letters(request.text), Letters(raw)
    # pdfium counts in UTF-16 units, and leaves characters out of the text that it has places for.
    units = _utf16_offsets(raw)
    found: list[list[Rectangle]] = []
    for span in request.spans:
        place = read.counterpart(span, drawn)
        if place is None:
            found.append([])
            continue
        first = pdfium_c.FPDFText_GetCharIndexFromTextIndex(text_page.raw, units[place[0]])
        last = pdfium_c.FPDFText_GetCharIndexFromTextIndex(text_page.raw, units[place[1] - 1])
        if not 0 <= first <= last:
            found.append([])
            continue
        count = text_page.count_rects(first, last - first + 1)
        found.append(_lines(text_page.get_rect(index) for index in range(count)))
    return found


def _lines(rectangles: Iterable[Rectangle]) -> list[Rectangle]:
    """Join what stands side by side: pdfium gives a rectangle for each run of letters."""
    lines: list[Rectangle] = []
    for left, bottom, right, top in rectangles:
        if lines:
            before_left, before_bottom, before_right, before_top = lines[-1]
            height = min(top - bottom, before_top - before_bottom)
            shared = min(top, before_top) - max(bottom, before_bottom)
            if shared > height / 2 and left - before_right < 2 * (before_top - before_bottom):
                lines[-1] = (
                    min(left, before_left),
                    min(bottom, before_bottom),
                    max(right, before_right),
                    max(top, before_top),
                )
                continue
        lines.append((left, bottom, right, top))
    return lines


def _utf16_offsets(text: str) -> Sequence[int]:
    """Where each character begins in UTF-16, and where the last one ends."""
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    offsets, at = [], 0
    for char in text:
        offsets.append(at)
        at += 2 if char > "\uffff" else 1
    return [*offsets, at]


def _box(one: Point, other: Point, size: tuple[int, int]) -> Box:
    left, right = sorted((one[0], other[0]))
    top, bottom = sorted((one[1], other[1]))
    width, height = size
    return Box(left / width, top / height, (right - left) / width, (bottom - top) / height)
