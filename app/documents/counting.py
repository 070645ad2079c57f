"""Counts the tokens of stored documents, page by page, in the background, once per vocabulary."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.store.rows import TokenCounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.session import Session
    from app.store.chat_store import ChatStore
    from engine.documents.model import Document
    from engine.worker.protocol import Counted, Failed

# So much that the engine is asked rarely, and so little that a question never waits for it.
_BATCH_CHARS = 48_000


class TokenCounting(QObject):
    """Asks the engine while it does not answer anyone. Main thread; `close` it at the end.

    Signals:
        counted(str): A document whose tokens are known now.
    """

    counted = Signal(str)

    def __init__(
        self,
        engine: EngineController,
        store: ChatStore,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._store = store
        self._hop = hop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counting")
        self._known: dict[tuple[str, str], TokenCounts] = {}
        self._waiting: list[str] = []
        self._vocabulary = ""
        self._document: Document | None = None
        self._counts: list[int] = []
        self._request_id = 0
        self._is_opening = False
        engine.session_changed.connect(self._on_session_changed)
        engine.counted.connect(self._on_counted)
        engine.question_failed.connect(self._on_failed)

    @property
    def vocabulary(self) -> str:
        """Of the loaded model; empty without one."""
        loaded = self._engine.session.loaded
        return loaded.model.vocabulary_id if loaded is not None else ""

    def counts(self, document_id: str) -> TokenCounts | None:
        """Tokens of a document for the loaded model; None while they are not known."""
        key = document_id, self.vocabulary
        if not key[1]:
            return None
        if key not in self._known:
            stored = self._store.documents.token_counts(*key)
            if stored is not None:
                self._known[key] = stored
        return self._known.get(key)

    def want(self, document_id: str) -> None:
        """Count a document before the others."""
        self._waiting = [document_id, *(one for one in self._waiting if one != document_id)]
        self._go_on()

    def want_all(self, document_ids: Iterable[str]) -> None:
        """Count these when there is time."""
        waiting = set(self._waiting)
        self._waiting += [one for one in document_ids if one not in waiting]
        self._go_on()

    def close(self) -> None:
        """Stop counting; for the end of the app."""
        self._waiting.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)

    # ---- one document after the other

    def _go_on(self) -> None:
        """Ask for the next pages, or open the next document."""
        session = self._engine.session
        if self._request_id or self._is_opening or not self.vocabulary or session.is_answering:
            return
        if self._document is not None and self._vocabulary == self.vocabulary:
            self._ask(self._document)
            return
        while self._waiting:
            document_id = self._waiting.pop(0)
            if self.counts(document_id) is None:
                self._open(document_id)
                return

    def _open(self, document_id: str) -> None:
        self._is_opening = True

        def opened(document: Document | None) -> None:
            self._is_opening = False
            self._document, self._counts = document, []
            self._vocabulary = self.vocabulary
            self._go_on()

        work = self._thread.submit(self._store.documents.get, document_id)
        # One that cannot be read must not keep the others waiting.
        self._hop.when_done(work, opened, lambda _error: opened(None))

    def _ask(self, document: Document) -> None:
        texts: list[str] = []
        size = 0
        for page in document.pages[len(self._counts) :]:
            if texts and size + len(page.text) > _BATCH_CHARS:
                break
            texts.append(page.text)
            size += len(page.text)
        self._request_id = self._engine.count(tuple(texts))

    def _on_counted(self, answer: Counted) -> None:
        if answer.request_id != self._request_id or self._document is None:
            return
        self._request_id = 0
        self._counts += answer.counts
        if len(self._counts) >= len(self._document.pages):
            document, self._document = self._document, None
            counts = TokenCounts(total=sum(self._counts), by_page=tuple(self._counts))
            self._known[document.id, self._vocabulary] = counts
            self._store.documents.set_token_counts(document.id, self._vocabulary, counts)
            self.counted.emit(document.id)
        self._go_on()

    def _on_failed(self, failed: Failed) -> None:
        if failed.request_id == self._request_id:
            self._request_id, self._document = 0, None
            self._go_on()

    def _on_session_changed(self, session: Session) -> None:
        if session.loaded is None:
            # Whatever was asked will not be answered; the next model counts for itself.
            if self._document is not None:
                self._waiting.insert(0, self._document.id)
            self._request_id, self._document = 0, None
        elif not session.is_answering:
            self._go_on()
