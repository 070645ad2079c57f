"""Notices when the file of a document changes on disk or vanishes; changes nothing by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtWidgets import QApplication

    from app.chat.controller import ChatController
    from app.documents.changes import FileCheck
    from app.documents.shelf import Shelf
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from engine.documents.model import Document

_LONGEST_WAIT_MS = 3000


def _nothing() -> None:
    """Nobody waits."""


class FileWatch(QObject):
    """Looks when a chat is opened, when the window is activated, and before a request.

    What it finds is kept with the chat's documents, which ask what to do. Main thread; files are
    looked at on a thread of its own. `close` it at the end.
    """

    def __init__(
        self,
        *,
        application: QApplication,
        store: ChatStore,
        shelf: Shelf,
        chat: ChatController,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._shelf = shelf
        self._chat = chat
        self._notices = notices
        self._hop = hop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._is_closed = False
        self._opened: int | None = None
        chat.opened.connect(self._on_opened)
        shelf.changed.connect(self._on_shelf_changed)
        application.applicationStateChanged.connect(self._on_application_state)

    def check(self, then: Callable[[], None] = _nothing) -> None:
        """Look at the files of the open chat's documents.

        Args:
            then: Called behind it; at once where the chat has no files.
        """
        chat_id = self._chat.chat_id
        documents = self._documents(chat_id)
        if chat_id is None or not documents or self._is_closed:
            then()
            return
        self._shelf.begin_check(chat_id)
        waiting = [then]

        def go_on() -> None:
            # A disk that does not answer must not hold the question; what it says later counts.
            if waiting:
                act = waiting.pop()
                self._shelf.end_check(chat_id)
                act()

        def checked(checks: dict[str, FileCheck]) -> None:
            self._shelf.take_checks(chat_id, checks)
            go_on()

        QTimer.singleShot(_LONGEST_WAIT_MS, self, go_on)
        work = self._thread.submit(_check_all, self._store, documents)
        self._hop.when_done(work, checked)

    def unless_changed(self, act: Callable[[], None]) -> None:
        """Do something that sends a request, unless a document of the chat has changed."""
        chat_id = self._chat.chat_id

        def go_on() -> None:
            waits = any(held.is_waited_for for held in self._shelf.held(chat_id))
            if waits:
                self._notices.say(self.tr("A document of this chat has changed: choose first."))
            else:
                act()

        self.check(go_on)

    def close(self) -> None:
        """Stop looking; for the end of the app."""
        self._is_closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _documents(self, chat_id: int | None) -> tuple[Document, ...]:
        held = (each.document for each in self._shelf.held(chat_id))
        return tuple(document for document in held if document is not None and document.path)

    def _on_opened(self, chat_id: int | None) -> None:
        # Its documents are unpacked first; they are looked at when the first of them is there.
        self._opened = chat_id
        self._check_opened()

    def _on_shelf_changed(self, chat_id: int) -> None:
        if chat_id == self._opened:
            self._check_opened()

    def _check_opened(self) -> None:
        opening = [each.state == "opening" for each in self._shelf.held(self._opened)]
        if opening and not any(opening) and self._opened == self._chat.chat_id:
            self._opened = None
            self.check()

    def _on_application_state(self, state: Qt.ApplicationState) -> None:
        if state is Qt.ApplicationState.ApplicationActive:
            self.check()


def _check_all(store: ChatStore, documents: Sequence[Document]) -> dict[str, FileCheck]:
    from app.documents.changes import check_file

    checks = {document.id: check_file(document) for document in documents}
    for document_id, check in checks.items():
        if check.state == "touched":
            store.documents.touch(document_id, check.mtime_ns)
    return checks
