"""What the document viewer says: facts, notices, what was not read, what became of a citation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from widgets.documents.viewdata import NoticeView
from widgets.figures import whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.chat.citing import KeptCitation
    from app.documents.changes import FileState
    from engine.documents.model import Document, Page
    from engine.errors import Problem

_FEW_CHARS = 12
_IMAGE_NOTES = ("documents.note_images", "documents.note_images_on")
_SCAN_NOTES = ("documents.note_pictured_pages", "documents.note_scanned_pages")
_FORMATS = {
    "pdf": "PDF",
    "docx": "Word",
    "pptx": "PowerPoint",
    "xlsx": "Excel",
    "epub": "EPUB",
    "html": "HTML",
    "csv": "CSV",
}


def _tr(text: str) -> str:
    return QCoreApplication.translate("DocumentView", text)


def format_name(kind: str) -> str:
    """A document's format, for people."""
    words = {
        "text": _tr("Text"),
        "markdown": _tr("Markdown"),
        "code": _tr("Code"),
        "email": _tr("E-mail"),
        "archive": _tr("Archive"),
        "folder": _tr("Folder"),
    }
    return words.get(kind) or _FORMATS.get(kind, kind)


def badge(kind: str) -> str:
    """The same in a few letters, for where there is no first page to be seen."""
    words = {
        "markdown": "MD",
        "pptx": _tr("Slides"),
        "email": _tr("Mail"),
        "archive": "ZIP",
    }
    return words.get(kind) or format_name(kind)


def pages(count: int) -> str:
    """How many pages, in words."""
    return _tr("1 page") if count == 1 else _tr("{n} pages").format(n=whole(count))


def facts(document: Document) -> str:
    """Format, pages, words, where it lies, and what was not read: for a tooltip."""
    words = _tr("{n} words").format(n=whole(document.word_count))
    first = " · ".join((format_name(document.kind), pages(len(document.pages)), words))
    return "\n".join((first, document.path, *(note.message for note in document.notes)))


def place(page: Page) -> str:
    """What the file itself calls a page, where that is more than its number; empty else."""
    if page.label == str(page.number):
        return ""
    if page.mark == "p.":
        return _tr("label “{label}”").format(label=page.label)
    return page.anchor


def unread(page: Page) -> str:
    """What was not read of a page; empty for nothing."""
    if not page.images:
        return ""
    if len(page.text.strip()) <= _FEW_CHARS:
        return _tr("This page is a picture without text; what it shows was not read.")
    if page.images == 1:
        return _tr("One image on this page was not read.")
    return _tr("{n} images on this page were not read.").format(n=page.images)


def notice(document: Document, file: FileState, refusal: str) -> NoticeView | None:
    """Why pages are not shown as they look, and what can be done."""
    is_pdf = document.kind == "pdf"
    only_text = _tr("Only the text is shown: ") if is_pdf else ""
    read_again = _tr("Read again")
    if file == "changed":
        words = _tr("the file changed on disk after it was read.")
        if not is_pdf:
            words = _tr("The file changed on disk. This is what was read of it before.")
        return NoticeView(only_text + words, "read_again", read_again)
    if file == "gone":
        words = _tr("there is no file at {path} any more.") if is_pdf else ""
        words = words or _tr("There is no file at {path} any more. This is what was read of it.")
        text = only_text + words.format(path=document.path)
        return NoticeView(text, "look_again", _tr("Look again"))
    if refusal == "encrypted":
        words = _tr("the file is encrypted, and passwords are forgotten when the program ends.")
        return NoticeView(only_text + words, "password", _tr("Enter password"))
    if refusal == "wrong_password":
        words = _tr("this password does not open the file.")
        return NoticeView(only_text + words, "password", _tr("Enter password"))
    if refusal:
        return NoticeView(only_text + _tr("the file is damaged and cannot be drawn."))
    return None


def cited(citation: KeptCitation) -> str:
    """What became of a citation, in a sentence."""
    quote = citation.quote if len(citation.quote) <= 160 else citation.quote[:158] + " …"
    if citation.page_number is None:
        words = _tr("{text}: the document has no such page.")
    elif citation.verified:
        words = _tr("Found on this page: “{quote}”")
    elif citation.found_on:
        words = _tr("Not found on this page, but on page {pages}: “{quote}”")
    else:
        words = _tr("Not found on this page: “{quote}”")
    numbers = ", ".join(map(str, citation.found_on[:5]))
    return words.format(text=citation.text, quote=quote, pages=numbers)


def unread_of(notes: Iterable[Problem]) -> str:
    """What was not read of a document, in a few words."""
    words = []
    for note in notes:
        count = note.params.get("count", 0)
        if note.code in _IMAGE_NOTES:
            images = _tr("1 image not read") if count == 1 else _tr("{n} images not read")
            words.append(images.format(n=count))
        elif note.code in _SCAN_NOTES:
            scans = _tr("1 scanned page not read")
            scans = scans if count == 1 else _tr("{n} scanned pages not read")
            words.append(scans.format(n=count))
    return " · ".join(words)
