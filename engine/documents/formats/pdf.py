"""PDF through pdfium: pages with their printed labels, the outline, what has no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypdfium2
import pypdfium2.raw as pdfium_c

from engine.documents.clean import without_leaders
from engine.documents.hyphens import mend_divided_words
from engine.documents.pages import shown_selection
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_MAX_OUTLINE_ENTRIES = 20_000
_MAX_OUTLINE_DEPTH = 15
_FEW_CHARS = 12
"""A page with no more than this (a stamp, a page number) counts as one without text."""


def read_pdf(source: Source, draft: Draft) -> None:
    """Read all pages.

    Raises:
        UserError: Encrypted, wrong password, damaged, too many pages, scanned, or without text.
    """
    source.require_size(draft.limits.file_bytes)
    document = _open(source, draft)
    try:
        count = len(document)
        if count > draft.limits.pages:
            raise UserError("documents.too_many_pages", name=source.name, limit=draft.limits.pages)
        if count == 0:
            raise UserError("documents.corrupt", name=source.name, detail="no pages")
        outline = _outline(document)
        _read_pages(document, draft, _headings(outline, count))
        for level, title, index in outline:
            draft.add_outline(title, index + 1, level)
        if document.get_formtype() != pdfium_c.FORMTYPE_NONE:
            draft.note("documents.note_form")
        attachments = document.count_attachments()
        if attachments:
            draft.note("documents.note_attachments", count=attachments)
    finally:
        document.close()


def _open(source: Source, draft: Draft) -> pypdfium2.PdfDocument:
    data = source.path if source.path is not None else source.read_bytes(draft.limits.file_bytes)
    try:
        return pypdfium2.PdfDocument(data, password=draft.password)
    except pypdfium2.PdfiumError as error:
        code = error.err_code
        if code == pdfium_c.FPDF_ERR_PASSWORD:
            asked = "documents.wrong_password" if draft.password else "documents.encrypted"
            raise UserError(asked, name=source.name) from error
        if code == pdfium_c.FPDF_ERR_SECURITY:
            raise UserError("documents.protected", name=source.name) from error
        raise UserError("documents.corrupt", name=source.name, detail=str(error)) from error


def _read_pages(document: pypdfium2.PdfDocument, draft: Draft, headings: list[str]) -> None:
    """Add every page; refuse a document most of whose pages are pictures of text."""
    count = len(document)
    texts: list[str] = []
    images: list[int] = []
    pictured: list[int] = []
    unread = 0
    for index in range(count):
        draft.step(index, count)
        try:
            text, page_images = _page_text(document, index)
        except pypdfium2.PdfiumError:
            text, page_images, unread = "", 0, unread + 1
        if page_images and len(text.strip()) <= _FEW_CHARS:
            pictured.append(index + 1)
        images.append(page_images)
        texts.append(text)
    for index, text in enumerate(mend_divided_words(texts)):
        label = document.get_page_label(index)
        draft.add_page(
            without_leaders(text), label=label, heading=headings[index], images=images[index]
        )
    draft.step(count, count)
    _judge(draft, count, pictured=pictured, unread=unread)


def _judge(draft: Draft, count: int, *, pictured: list[int], unread: int) -> None:
    """Say which pages gave no text, or that there is nothing to work with."""
    if unread == count:
        raise UserError("documents.corrupt", name=draft.name, detail="no page could be loaded")
    if len(pictured) * 2 > count:
        raise UserError("documents.scanned", name=draft.name, pictured=len(pictured), pages=count)
    if pictured:
        draft.note(
            "documents.note_scanned_pages",
            count=len(pictured),
            out_of=count,
            pages=shown_selection(pictured),
        )
    if unread:
        draft.note("documents.note_damaged_pages", count=unread, pages=count)


def _page_text(document: pypdfium2.PdfDocument, index: int) -> tuple[str, int]:
    """A page's text and how many images it shows."""
    page = document[index]
    try:
        text_page = page.get_textpage()
        try:
            text = text_page.get_text_range()
        finally:
            text_page.close()
        return text, _image_count(page)
    finally:
        page.close()


def _image_count(page: pypdfium2.PdfPage) -> int:
    """How many images lie on the page itself or within its forms."""
    raw = page.raw
    kinds = (
        pdfium_c.FPDFPageObj_GetType(pdfium_c.FPDFPage_GetObject(raw, index))
        for index in range(pdfium_c.FPDFPage_CountObjects(raw))
    )
    return sum(kind == pdfium_c.FPDF_PAGEOBJ_IMAGE for kind in kinds)


def _outline(document: pypdfium2.PdfDocument) -> list[tuple[int, str, int]]:
    """(level, title, page index) of the bookmarks that lead to a page, in order."""
    return list(_bookmarks(document))


def _bookmarks(document: pypdfium2.PdfDocument) -> Iterator[tuple[int, str, int]]:
    for seen, bookmark in enumerate(document.get_toc(max_depth=_MAX_OUTLINE_DEPTH)):
        if seen >= _MAX_OUTLINE_ENTRIES:
            return
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        if index is not None and 0 <= index < len(document):
            yield bookmark.level, bookmark.get_title(), index


def _headings(outline: list[tuple[int, str, int]], count: int) -> list[str]:
    """For each page the last bookmark that lies before it, or the first on it."""
    first_on: dict[int, str] = {}
    last_on: dict[int, str] = {}
    for _, title, index in outline:
        first_on.setdefault(index, title)
        last_on[index] = title
    headings: list[str] = []
    current = ""
    for index in range(count):
        headings.append(first_on.get(index, current))
        current = last_on.get(index, current)
    return headings
