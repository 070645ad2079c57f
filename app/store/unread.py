"""Files that somebody gave to a chat or to the library, and that have not been read yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from concurrent.futures import Future

    from app.store.database import Readers
    from app.store.writer import Writer


class UnreadFiles:
    """What the end of the app finds unread, the next start can tell of.

    Reads run on the calling thread, writes on the writer's.
    """

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def add(self, chat_id: int | None, path: str) -> Future[None]:
        """Note a file that is about to be read; without a chat it is for the library alone."""
        return self._writer.submit(lambda at: _set(at, chat_id, path, is_unread=True))

    def remove(self, chat_id: int | None, path: str) -> Future[None]:
        """It was read, or nobody wants it any more."""
        return self._writer.submit(lambda at: _set(at, chat_id, path, is_unread=False))

    def of(self, chat_id: int | None) -> tuple[str, ...]:
        """The paths of a chat's, or of the library's own, in the order in which they came."""
        query = "SELECT path FROM unread_files WHERE chat_id IS ? ORDER BY rowid"
        with self._readers.lend() as connection:
            return tuple(path for (path,) in connection.execute(query, (chat_id,)))

    def all(self) -> frozenset[str]:
        """Every path."""
        with self._readers.lend() as connection:
            found = connection.execute("SELECT path FROM unread_files")
            return frozenset(path for (path,) in found)


def _set(
    connection: sqlite3.Connection, chat_id: int | None, path: str, *, is_unread: bool
) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        # It cannot be read under such a name either, which is said at once.
        return
    connection.execute("DELETE FROM unread_files WHERE chat_id IS ? AND path = ?", (chat_id, path))
    if is_unread:
        connection.execute("INSERT INTO unread_files VALUES (?, ?)", (chat_id, path))
