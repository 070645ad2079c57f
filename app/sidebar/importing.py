"""Brings exported chats back: files that were chosen or dropped become chats in the list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.store.rows import Chat

_NAMES_SAID = 3


class ChatImport(QObject):
    """Owns the thread that reads the files. Main thread; `close` it at the end.

    Signals:
        imported(tuple): Ids of the chats that came in, in the order of their files.
        undone(int): A chat that came in was taken out again.
    """

    imported = Signal(object)
    undone = Signal(object)

    def __init__(
        self, store: ChatStore, notices: Notices, hop: MainThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._notices = notices
        self._hop = hop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import")

    def add(self, paths: Sequence[str]) -> None:
        """Import files; those that are no chats are told and the rest come in."""
        work = self._thread.submit(self._read, tuple(map(Path, paths)))
        self._hop.when_done(work, lambda read: self._on_read(*read), self._notices.error)

    def close(self) -> None:
        """Stop reading; for the end of the app."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    # ---- on the thread

    def _read(
        self, paths: tuple[Path, ...]
    ) -> tuple[tuple[Chat, ...], dict[str, list[tuple[Path, UserError]]]]:
        """The chats that came in, and by the kind of trouble the files that did not."""
        chats: list[Chat] = []
        failed: dict[str, list[tuple[Path, UserError]]] = {}
        for path in paths:
            try:
                chats.append(self._store.import_json(path).result())
            except UserError as error:
                failed.setdefault(error.code, []).append((path, error))
        return tuple(chats), failed

    # ---- on the main thread

    def _on_read(
        self, chats: tuple[Chat, ...], failed: dict[str, list[tuple[Path, UserError]]]
    ) -> None:
        for code, files in failed.items():
            params = files[0][1].problem.params | {"name": self._named([path for path, _ in files])}
            detail = "; ".join(f"{path}: {error.problem.detail}" for path, error in files)
            self._notices.error(UserError(code, detail=detail, **params))
        if not chats:
            return
        ids = tuple(chat.id for chat in chats)
        self.imported.emit(ids)
        words = self.tr("{n:,} chats imported.").format(n=len(ids))
        if len(ids) == 1:
            words = self.tr("Chat imported.")
        self._notices.undoable(words, lambda: self._undo(ids))

    def _named(self, paths: Sequence[Path]) -> str:
        names = [path.name or str(path) for path in paths]
        more = len(names) - _NAMES_SAID
        if more > 0:
            names[_NAMES_SAID:] = [self.tr("{n:,} more").format(n=more)]
        return ", ".join(names)

    def _undo(self, ids: tuple[int, ...]) -> None:
        for chat_id in ids:
            self._hop.when_done(
                self._store.chats.delete(chat_id).done,
                lambda _none, chat_id=chat_id: self.undone.emit(chat_id),  # type: ignore[misc]
                self._notices.error,
            )
