"""Checks what replies cite, off the main thread, and keeps what was found with the message."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat import citing

if TYPE_CHECKING:
    from app.chat.branches import Branches
    from app.chat.citing import KeptCitation
    from app.documents.shelf import Shelf
    from app.hop import MainThread
    from app.store.chat_store import ChatStore
    from app.store.rows import Message


class CitationKeeper(QObject):
    """Owns the checking thread. Main thread.

    Args:
        branches: The chats in memory.

    Signals:
        kept(Message): A message that has citations now.
    """

    kept = Signal(object)

    def __init__(
        self,
        *,
        store: ChatStore,
        shelf: Shelf,
        hop: MainThread,
        branches: Branches,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._shelf = shelf
        self._hop = hop
        self._branches = branches
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="citations")
        self._is_closed = False

    def check(self, message: Message) -> None:
        """Look up what a finished reply cites, where its chat has documents."""
        parts = self._shelf.parts(message.chat_id)
        if parts and not self._is_closed:
            work = self._checker.submit(citing.check, message.text, parts)
            self._hop.when_done(work, lambda found: self._keep(message, found))

    def close(self) -> None:
        """Stop checking; for the end of the app."""
        self._is_closed = True
        self._checker.shutdown(wait=True, cancel_futures=True)

    def _keep(self, message: Message, found: tuple[KeptCitation, ...]) -> None:
        branch = self._branches.get(message.chat_id)
        shown = branch.find(message.id) if branch else None
        if not found or branch is None or shown is None or shown.text != message.text:
            return
        if shown.state == "streaming":
            return
        stats = citing.with_citations(shown.stats, found)
        branch.replace(msgspec.structs.replace(shown, stats=stats))
        branch.saving = self._store.messages.set_stats(message.id, stats)
        self.kept.emit(message)
