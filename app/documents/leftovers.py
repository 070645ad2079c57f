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
    from collections.abc import Callable
    from pathlib import Path

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
        self._is_offered = False
        notices.undo_offered.connect(self._on_offered)
        notices.undo_passed.connect(self._on_passed)
        self._look()

    def close(self) -> None:
        """Look once more; nothing can be undone after the end of the app."""
        # Where the database cannot be read the next start looks again.
        with suppress(UserError, sqlite3.Error):
            self._store.purge(UNDO_KEPT_S).result()
            self._remove(self._chats(), self._gone())

    def _on_offered(self) -> None:
        self._is_offered = True

    def _on_passed(self) -> None:
        self._is_offered = False
        self._look()

    def _look(self) -> None:
        # Behind what is being written: a document may be on its way back.
        self._behind_the_store(self._look_again)

    def _look_again(self) -> None:
        chats, gone = self._chats(), self._gone()
        # What is gone may be about to be offered for an undo. That comes before the next answer.
        self._behind_the_store(lambda: self._remove_unless_offered(chats, gone))

    def _behind_the_store(self, then: Callable[[], None]) -> None:
        self._hop.when_done(
            self._store.purge(UNDO_KEPT_S), lambda _none: then(), lambda _error: None
        )

    def _remove_unless_offered(self, chats: set[str], gone: set[Path]) -> None:
        if not self._is_offered:
            self._remove(chats | self._chats(), gone & self._gone())

    def _chats(self) -> set[str]:
        return {str(chat.id) for chat in self._store.chats.all()}

    def _gone(self) -> set[Path]:
        """Pasted texts that no document has, and that are not still to be read."""
        stored = {info.path for info in self._store.documents.all()} | self._store.unread.all()
        try:
            files = list(pasted_dir().iterdir())
        except OSError:
            return set()
        return {
            path
            for path in files
            if str(path) not in stored and not self._shelf.has_file(str(path))
        }

    def _remove(self, chats: set[str], files: set[Path]) -> None:
        kept_notes(COMMAND_LINE).forget_gone({*chats, COMMAND_LINE})
        for path in files:
            with suppress(OSError):
                path.unlink(missing_ok=True)
