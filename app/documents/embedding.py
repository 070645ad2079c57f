"""Prepares documents for the search by meaning, in the background, as they come to be searched."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from engine.documents.model import Document
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.documents.passages import PassageFinder
    from app.documents.shelf import Shelf
    from app.hop import MainThread
    from engine.embedding.client import EmbeddingClient
    from engine.errors import UserError

State = Literal["waiting", "running", "done", "stopped", "failed"]
# Of a long document there are many batches; a chip that changes with each would flicker.
_TOLD_STEPS = 50


class Preparation(msgspec.Struct):
    """How far a document is prepared. Main thread, but for `stop`.

    Attributes:
        document: What is prepared.
        done: Passages that are embedded.
        total: Passages it has; 0 until it is counted.
        shortened: Passages that are longer than the model reads, once all are embedded.
        problem: Why it failed.
        stop: Set to have the work on it end with the next batch.
    """

    document: Document
    state: State
    stop: threading.Event
    done: int = 0
    total: int = 0
    shortened: int = 0
    problem: Problem | None = None


class DocumentEmbedding(QObject):
    """Owns the embedding model's client and the thread that prepares documents. Main thread.

    A question never waits for it: until a document is prepared it is searched by its words alone.

    Signals:
        changed(): The preparation of a document got on, or ended.
        failed(Problem): The model cannot be used, or stopped.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(
        self,
        finder: Callable[[], PassageFinder],
        shelf: Shelf,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        """Args: what gives the finder once it is needed, the documents, and the main thread."""
        super().__init__(parent)
        self._finder = finder
        self._shelf = shelf
        self._hop = hop
        self._path = ""
        self._model = 0
        self._of: dict[str, Preparation] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self._is_closed = False
        shelf.changed.connect(self.look_at)

    def use_model(self, path: str) -> None:
        """Search with another embedding model; an empty path searches by words alone."""
        if path == self._path or self._is_closed:
            return
        self._path = path
        self._model += 1
        searched = [one.document for one in self._of.values()]
        self._stop_all()
        self._of.clear()
        self._let_go()
        if path:
            number = self._model
            work = self._thread.submit(_client, Path(path))
            self._hop.when_done(
                work,
                lambda client: self._opened(number, client, searched),
                lambda error: self._refused(number, error),
            )
        self.changed.emit()

    def look_at(self, chat_id: int | None) -> None:
        """Prepare the documents of a chat that are sent in passages."""
        for part in self._shelf.parts(chat_id):
            if part.mode == "passages" and part.document.id not in self._of:
                self._begin(part.document)

    def preparation(self, document_id: str) -> Preparation | None:
        """How far a document is; None where nothing is prepared."""
        return self._of.get(document_id) if self._path else None

    def stop(self, document_id: str) -> None:
        """Leave a document as it is; what is done is kept."""
        one = self._of.get(document_id)
        if one is not None and one.state in ("waiting", "running"):
            one.stop.set()
            one.state = "stopped"
            self.changed.emit()

    def go_on(self, document_id: str) -> None:
        """Prepare a document that was stopped, or failed."""
        one = self._of.get(document_id)
        if one is not None and one.state in ("stopped", "failed"):
            self._begin(one.document)

    def forget(self, document_id: str) -> None:
        """A document was deleted."""
        one = self._of.pop(document_id, None)
        if one is not None:
            one.stop.set()

    def close(self) -> None:
        """Stop the work and the model; for the end of the app."""
        self._is_closed = True
        self._stop_all()
        self._let_go()
        self._thread.shutdown(wait=True, cancel_futures=True)

    # ---- inside

    def _opened(self, number: int, client: EmbeddingClient, searched: list[Document]) -> None:
        if number != self._model or self._is_closed:
            client.close()
            return
        self._finder().embedder = client
        self._finder().by_words_alone = None
        for document in searched:
            self._begin(document)

    def _refused(self, number: int, error: UserError) -> None:
        if number == self._model:
            self._finder().by_words_alone = error.problem
            self.failed.emit(error.problem)

    def _begin(self, document: Document) -> None:
        one = Preparation(document, "waiting", threading.Event())
        self._of[document.id] = one
        if self._finder().embedder is None or self._is_closed:
            # The model is looked at first; then all that waits begins.
            return

        def progress(done: int, total: int) -> bool:
            self._hop.post(lambda: self._on_progress(one, done, total))
            return not one.stop.is_set()

        def prepare() -> tuple[bool, int]:
            is_done = self._finder().prepare(document, progress)
            return is_done, self._finder().shortened(document.id) if is_done else 0

        self._hop.when_done(
            self._thread.submit(prepare),
            lambda ended: self._on_end(one, *ended),
            lambda error: self._on_failed(one, error),
        )
        self.changed.emit()

    def _on_progress(self, one: Preparation, done: int, total: int) -> None:
        before, one.done, one.total = one.done, done, total
        if one.state == "waiting":
            one.state = "running"
            self.changed.emit()
        elif done * _TOLD_STEPS // max(1, total) != before * _TOLD_STEPS // max(1, total):
            self.changed.emit()

    def _on_end(self, one: Preparation, is_done: bool, shortened: int) -> None:
        one.state, one.shortened = "done" if is_done else "stopped", shortened
        self.changed.emit()

    def _on_failed(self, one: Preparation, error: UserError) -> None:
        if one.stop.is_set():
            # The model was changed, or the app ends: nobody waits for it.
            return
        one.state, one.problem = "failed", error.problem
        self.failed.emit(error.problem)
        self.changed.emit()

    def _stop_all(self) -> None:
        for one in self._of.values():
            one.stop.set()

    def _let_go(self) -> None:
        client, self._finder().embedder = self._finder().embedder, None
        self._finder().by_words_alone = None
        if client is not None:
            client.close()


def _client(path: Path) -> EmbeddingClient:
    # Loads numpy, which the first window does without.
    from engine.embedding.client import EmbeddingClient

    return EmbeddingClient(path)
