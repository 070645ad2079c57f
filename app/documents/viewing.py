"""Opens documents for looking at: a page, its picture, and where a citation points."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QImage

from engine.documents.wording import Wording
from widgets.documents.page_view import PageViewer
from widgets.documents.viewdata import PageView

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.chat.citing import KeptCitation
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from engine.documents.model import Document

_WIDTH_PX = 1200
_LONGEST_SIDE_PX = 4000


class DocumentViewing(QObject):
    """Owns the viewer while it is open, and the thread that draws pages. Main thread."""

    def __init__(
        self,
        store: ChatStore,
        notices: Notices,
        hop: MainThread,
        window: QWidget,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._notices = notices
        self._hop = hop
        self._window = window
        # pdfium is not thread-safe: one thread does all the drawing.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._viewer: PageViewer | None = None
        self._document: Document | None = None
        self._number = 1
        self._words = ""

    @property
    def viewer(self) -> PageViewer | None:
        """The viewer while it is open."""
        return self._viewer

    def open_citation(self, citation: KeptCitation) -> None:
        """Show the page that a citation leads to."""
        work = self._thread.submit(self._store.documents.get, citation.document_id)
        self._hop.when_done(work, lambda found: self._open(found, citation))

    def close(self) -> None:
        """Stop drawing; for the end of the app."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._viewer is not None:
            self._viewer.close()

    def _open(self, document: Document | None, citation: KeptCitation) -> None:
        if document is None:
            self._notices.say(self.tr("This document is no longer in the library."))
            return
        if self._viewer is not None:
            self._viewer.close()
        self._document, self._words = document, ""
        self._viewer = PageViewer(self._window)
        self._viewer.page_requested.connect(self._show)
        self._viewer.search_requested.connect(self._search)
        self._viewer.finished.connect(self._on_closed)
        number = citation.page_number or (citation.found_on[0] if citation.found_on else 1)
        self._show(number, span=citation.span, cited=_said(citation), found=citation.verified)
        self._viewer.open()

    def _on_closed(self) -> None:
        viewer, self._viewer, self._document = self._viewer, None, None
        if viewer is not None:
            viewer.deleteLater()

    def _show(
        self,
        number: int,
        *,
        span: tuple[int, int] | None = None,
        cited: str = "",
        found: bool = False,
    ) -> None:
        document, viewer = self._document, self._viewer
        if document is None or viewer is None:
            return
        self._number = max(1, min(number, len(document.pages)))
        page = document.pages[self._number - 1]
        has_picture = document.kind == "pdf" and _is_unchanged(document)
        viewer.set_page(
            PageView(
                name=document.name,
                number=page.number,
                count=len(document.pages),
                label=page.label,
                text=page.text,
                span=span,
                cited=cited,
                is_found=found,
                has_picture=has_picture,
            )
        )
        if has_picture:
            work = self._thread.submit(drawn, document.path, self._number - 1)
            number = self._number
            self._hop.when_done(work, lambda image: self._show_picture(number, image))

    def _show_picture(self, number: int, image: QImage) -> None:
        if self._viewer is not None:
            self._viewer.set_picture(number, image)

    def _search(self, words: str) -> None:
        """Go to the next page with these words; the first search may stay on this one."""
        document = self._document
        if document is None:
            return
        first = self._number - 1 + (words == self._words)
        self._words = words
        count = len(document.pages)
        for step in range(count):
            page = document.pages[(first + step) % count]
            span = _span_of(words, page.text)
            if span is not None:
                self._show(page.number, span=span)
                return
        if self._viewer is not None:
            self._viewer.say_not_found()


def drawn(path: str, index: int) -> QImage:
    """A page of a PDF as a picture; an empty one when it cannot be drawn."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError):
        # Encrypted, or damaged since: the text beside it is there all the same.
        return QImage()
    try:
        page = document[index]
        width, height = page.get_size()
        scale = min(_WIDTH_PX / max(1.0, width), _LONGEST_SIDE_PX / max(1.0, width, height))
        bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=True)
        shape = QImage.Format.Format_RGBX8888
        view = QImage(bitmap.buffer, bitmap.width, bitmap.height, bitmap.stride, shape)
        return view.copy()
    except (pypdfium2.PdfiumError, IndexError):
        return QImage()
    finally:
        document.close()


def _is_unchanged(document: Document) -> bool:
    """Whether the file is still the one whose text was read."""
    try:
        status = Path(document.path).stat()
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (document.size_bytes, document.mtime_ns)


def _span_of(words: str, text: str) -> tuple[int, int] | None:
    at = text.casefold().find(words.casefold())
    if at >= 0 and len(text.casefold()) == len(text):
        return at, at + len(words)
    return Wording(text).find(words)


def _said(citation: KeptCitation) -> str:
    """What became of a citation, in a sentence."""
    tr = QCoreApplication.translate
    quote = citation.quote if len(citation.quote) <= 160 else citation.quote[:158] + " …"
    if citation.page_number is None:
        words = tr("Citation", "{text}: the document has no such page.")
    elif citation.verified:
        words = tr("Citation", "Found on this page: “{quote}”")
    elif citation.found_on:
        words = tr("Citation", "Not found on this page, but on page {pages}: “{quote}”")
    else:
        words = tr("Citation", "Not found on this page: “{quote}”")
    pages = ", ".join(map(str, citation.found_on[:5]))
    return words.format(text=citation.text, quote=quote, pages=pages)
