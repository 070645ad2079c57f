"""Opens documents for looking at: their pages, their pictures, and where a citation points."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject

from app.documents import view_words
from app.documents.changes import FileState, check_file
from app.documents.drawings import Drawings
from app.documents.finding import MOST_MATCHES, Match, first_from, matches
from widgets.documents.page_view import PageViewer
from widgets.documents.viewdata import DocumentView, NoticeView, OutlineItemView, PageView
from widgets.window_layout import fit_to_screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.chat.citing import KeptCitation
    from app.documents.counting import TokenCounting
    from app.documents.drawings import Drawn
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.window.dialogs import Dialogs
    from engine.documents.drawing.drawer import PageDrawer
    from engine.documents.model import Document, Page
    from engine.documents.reader import DocumentReader
    from engine.errors import Problem


class _Opened(NamedTuple):
    document: Document
    file: FileState


class DocumentViewing(QObject):
    """Owns the viewer while it is open. Main thread; `close` it at the end."""

    def __init__(
        self,
        *,
        store: ChatStore,
        reader: DocumentReader,
        drawer: PageDrawer,
        counting: TokenCounting,
        notices: Notices,
        hop: MainThread,
        dialogs: Dialogs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._reader = reader
        self._counting = counting
        self._notices = notices
        self._hop = hop
        self._dialogs = dialogs
        self._drawings = Drawings(drawer, reader.passwords, hop, self)
        self._drawings.drawn.connect(self._on_drawn)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="viewing")
        self._viewer: PageViewer | None = None
        self._opened: _Opened | None = None
        self._number = 1
        self._citation: KeptCitation | None = None
        self._words = ""
        self._matches: tuple[Match, ...] = ()
        self._at = 0
        self._refusal = ""
        self._is_reading = False
        counting.counted.connect(self._on_counted)

    @property
    def viewer(self) -> PageViewer | None:
        """The viewer while it is open."""
        return self._viewer

    # ---- opening

    def open_citation(self, citation: KeptCitation) -> None:
        """Show the page that a citation leads to."""
        self._load(citation.document_id, citation.leads_to, citation)

    def open_document(self, document_id: str, number: int = 1) -> None:
        """Show a document from a page on."""
        self._load(document_id, number, None)

    def close_viewer(self) -> None:
        """Close the viewer, if it is open."""
        if self._viewer is not None:
            self._viewer.close()

    def close(self) -> None:
        """Stop everything; for the end of the app."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._drawings.close()
        self.close_viewer()

    def _load(self, document_id: str, number: int, citation: KeptCitation | None) -> None:
        def loaded() -> _Opened | None:
            document = self._store.documents.get(document_id)
            return _Opened(document, check_file(document).state) if document else None

        def show(opened: _Opened | None) -> None:
            if opened is None:
                self._notices.say(self.tr("This document is no longer in the library."))
            else:
                self._open(opened, number, citation)

        self._hop.when_done(self._thread.submit(loaded), show, self._notices.error)

    def _open(self, opened: _Opened, number: int, citation: KeptCitation | None) -> None:
        if self._viewer is None:
            self._viewer = self._made_viewer()
        self._opened, self._citation, self._refusal = opened, citation, ""
        self._words, self._matches = "", ()
        self._viewer.matches.line.clear()
        self._viewer.matches.set_matches(None, 0)
        document = opened.document
        self._counting.want(document.id)
        self._viewer.set_document(
            DocumentView(
                name=document.name,
                facts=view_words.facts(document),
                outline=tuple(
                    OutlineItemView(entry.title, entry.page_number, entry.level)
                    for entry in document.outline
                ),
            )
        )
        self._show(number)
        self._viewer.show()
        self._viewer.raise_()
        self._viewer.activateWindow()

    def _made_viewer(self) -> PageViewer:
        viewer = PageViewer()
        fit_to_screen(viewer)
        viewer.page_requested.connect(self._show)
        viewer.place_requested.connect(self._on_place)
        viewer.search_changed.connect(self._on_search)
        viewer.match_requested.connect(self._on_step)
        viewer.action_requested.connect(self._on_action)
        viewer.resolution_wanted.connect(self._on_resolution)
        viewer.finished.connect(self._on_closed)
        return viewer

    def _on_closed(self) -> None:
        viewer, self._viewer, self._opened = self._viewer, None, None
        if viewer is not None:
            viewer.deleteLater()

    # ---- a page

    def _show(self, number: int) -> None:
        opened, viewer = self._opened, self._viewer
        if opened is None or viewer is None:
            return
        document = opened.document
        self._number = max(1, min(number, len(document.pages)))
        page = document.pages[self._number - 1]
        spans, current = self._spans_on(self._number)
        cited = self._citation if self._citation_page() == self._number else None
        has_picture = self._has_picture(opened)
        viewer.set_page(
            PageView(
                number=page.number,
                count=len(document.pages),
                label=view_words.place(page),
                text=page.text,
                spans=spans,
                current=current,
                tokens=self._tokens_of(document, page),
                unread=view_words.unread(page),
                cited=view_words.cited(cited) if cited else "",
                is_found=bool(cited and cited.verified),
                has_picture=has_picture,
                notice=self._notice(opened),
            )
        )
        if has_picture:
            self._drawings.want(document.path, page, spans, viewer.picture.wanted_px())

    def _on_resolution(self, width_px: int) -> None:
        """The page shown is larger or smaller now: what was drawn for another size is not sharp."""
        opened = self._opened
        if opened is not None and self._has_picture(opened):
            page = opened.document.pages[self._number - 1]
            spans, _current = self._spans_on(self._number)
            self._drawings.want(opened.document.path, page, spans, width_px)

    def _spans_on(self, number: int) -> tuple[tuple[tuple[int, int], ...], int]:
        """What is highlighted on a page: the search's matches, else the cited passage."""
        if self._words:
            here = [at for at, match in enumerate(self._matches) if match.page_number == number]
            current = here.index(self._at) if self._at in here else -1
            return tuple(self._matches[at].span for at in here), current
        citation = self._citation
        if citation is not None and citation.span and self._citation_page() == number:
            return (citation.span,), 0
        return (), -1

    def _citation_page(self) -> int:
        return self._citation.leads_to if self._citation else 0

    def _tokens_of(self, document: Document, page: Page) -> int | None:
        counts = self._counting.counts(document.id)
        if counts is None or len(counts.by_page) != len(document.pages):
            return None
        return counts.by_page[page.number - 1]

    def _has_picture(self, opened: _Opened) -> bool:
        is_same = opened.file in ("same", "touched")
        return opened.document.kind == "pdf" and is_same and not self._refusal

    def _notice(self, opened: _Opened) -> NoticeView | None:
        if self._is_reading:
            return NoticeView(self.tr("Reading the file again …"))
        return view_words.notice(opened.document, opened.file, self._refusal)

    def _on_drawn(self, drawn: Drawn) -> None:
        opened = self._opened
        if opened is None or self._viewer is None or drawn.path != opened.document.path:
            return
        if drawn.refusal:
            self._refusal = drawn.refusal
            self._show(self._number)
        else:
            self._viewer.set_picture(drawn.picture)

    def _on_counted(self, document_id: str) -> None:
        if self._opened is not None and self._opened.document.id == document_id:
            self._show(self._number)

    # ---- searching

    def _on_place(self, wanted: str) -> None:
        if self._opened is None:
            return
        labelled = self._opened.document.page_with_label(wanted)
        if labelled is not None:
            self._show(labelled.number)
        elif wanted.isdecimal():
            self._show(int(wanted))

    def _on_search(self, words: str) -> None:
        """Look for words in the whole document; the match shown is the next from this page on."""
        opened = self._opened
        self._words = words
        if opened is None or self._viewer is None:
            return
        if not words:
            self._matches = ()
            self._viewer.matches.set_matches(None, 0)
            self._show(self._number)
            return

        def found(places: tuple[Match, ...]) -> None:
            if self._words == words and self._opened is opened:
                self._matches = places
                self._go_to(first_from(places, self._number))

        self._hop.when_done(self._thread.submit(matches, opened.document, words), found)

    def _on_step(self, step: int) -> None:
        if self._matches:
            self._go_to((self._at + step) % len(self._matches))

    def _go_to(self, at: int) -> None:
        if self._viewer is None:
            return
        self._at = at
        count = len(self._matches)
        self._viewer.matches.set_matches(at, count, has_more=count == MOST_MATCHES)
        self._show(self._matches[at].page_number if count else self._number)

    # ---- what the notice offers

    def _on_action(self, action: str) -> None:
        opened = self._opened
        if opened is None:
            return
        document = opened.document
        if action == "password":
            self._ask_password(document, lambda entered: self._unlock(document, entered))
        elif action == "read_again":
            self._read_again(document)
        elif action == "look_again":
            self._load(document.id, self._number, self._citation)

    def _ask_password(self, document: Document, then: Callable[[str], None]) -> None:
        self._dialogs.ask_password(document.name, then, over=self._viewer)

    def _unlock(self, document: Document, password: str) -> None:
        self._drawings.passwords[document.path] = password
        if self._opened is not None and self._opened.document is document:
            self._refusal = ""
            self._show(self._number)

    def _read_again(self, document: Document, password: str | None = None) -> None:
        """Read the file as it is now; what was read before stays stored."""
        self._is_reading = True
        self._show(self._number)

        def stored(read: Document) -> None:
            # On the job's thread: storing compresses the text.
            self._store.documents.put(read).done.result()
            if document.name != Path(document.path).name:
                # The user's own name for it.
                self._store.documents.rename(read.id, document.name).result()
            self._hop.post(lambda: self._on_read(document, read))

        self._reader.start(
            document.path,
            password=password,
            on_done=stored,
            on_failed=lambda problem: self._hop.post(lambda: self._on_not_read(document, problem)),
        )

    def _on_read(self, before: Document, read: Document) -> None:
        self._is_reading = False
        if self._opened is not None and self._opened.document is before:
            self._load(read.id, self._number, None)

    def _on_not_read(self, document: Document, problem: Problem) -> None:
        self._is_reading = False
        self._show(self._number)
        if problem.code in ("documents.encrypted", "documents.wrong_password"):
            self._ask_password(document, lambda entered: self._read_again(document, entered))
        else:
            self._notices.problem(problem)
