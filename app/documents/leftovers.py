"""Removes from the disk what belonged to chats and documents that are gone."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.documents.readings import COMMAND_LINE, kept_notes
from app.documents.shelf import pasted_dir
from app.store.chat_store import UNDO_KEPT_S
from engine.errors import UserError

if TYPE_CHECKING:
    from app.documents.shelf import Shelf
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore


class Leftovers(QObject):
    """Looks when the app starts, when nothing can be undone any more, and when it ends.

    Whatever an undo would bring back stays whole that way, and a crash only delays. Main thread.
    """

    def __init__(
        self,
        *,
        store: ChatStore,
        shelf: Shelf,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._shelf = shelf
        self._hop = hop
        notices.undo_passed.connect(self._clear_soon)
        self._clear_soon()

    def close(self) -> None:
        """Look once more; nothing can be undone after the end of the app."""
        # Where the database cannot be read the next start looks again.
        with suppress(UserError, sqlite3.Error):
            self._store.purge(UNDO_KEPT_S).result()
            self._clear()

    def _clear_soon(self) -> None:
        # Behind what is being written: a document may be on its way back.
        self._hop.when_done(
            self._store.purge(UNDO_KEPT_S), lambda _none: self._clear(), lambda _error: None
        )

    def _clear(self) -> None:
        chats = {str(chat.id) for chat in self._store.chats.all()}
        kept_notes(COMMAND_LINE).forget_gone({*chats, COMMAND_LINE})
        stored = {info.path for info in self._store.documents.all()}
        with suppress(OSError):
            for path in list(pasted_dir().iterdir()):
                if str(path) not in stored and not self._shelf.has_file(str(path)):
                    path.unlink(missing_ok=True)
