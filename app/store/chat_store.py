"""The chat database as one object: open it, use its parts, close it."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from app.store.chats import Chats
from app.store.copies import Copies
from app.store.database import Readers, open_database
from app.store.documents import Documents
from app.store.faults import sentence_for, sentence_for_system
from app.store.filelock import FileLock
from app.store.ids import IdClock, now_us
from app.store.messages import Messages
from app.store.search import Search
from app.store.unread import UnreadFiles
from app.store.writer import Writer
from engine.errors import UserError
from engine.paths import data_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from app.store.early_check import EarlyCheck
    from app.store.rows import Chat, ChatContents
    from engine.errors import Problem

_log = logging.getLogger(__name__)

FILE_NAME = "chats.sqlite3"
# An undo is offered for seconds; a day is for the user who comes back and asks.
UNDO_KEPT_S = 24 * 3600.0


class ChatStore:
    """All chats and documents of one data folder; a second process cannot open it.

    Reads run on the calling thread, on connections of their own, and are short. Writes are queued
    for one thread. Owned by the application; `close` it at the end.

    Attributes:
        chats: The list of chats.
        messages: What is in them.
        documents: Documents and which chats they serve.
        copies: Branches into new chats.
        search: Words in titles and messages.
        problems: What the user should know about how the database was opened.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        on_problem: Callable[[Problem], None] | None = None,
        undo_kept_s: float = UNDO_KEPT_S,
        early: EarlyCheck | None = None,
    ) -> None:
        """Open or create the database.

        Args:
            path: The file; by default in the data folder.
            on_problem: Called on the writer's thread when something could not be saved.
            undo_kept_s: What was deleted longer ago is removed for good now.
            early: Has begun to look the file through for damage.

        Raises:
            UserError: ``stores.in_use``, ``stores.newer``, ``stores.read_only`` …
        """
        self.path: Final = path or chats_path()
        self._lock = _locked(self.path)
        try:
            connection, self.problems = open_database(self.path, early)
            try:
                newest = _settle(connection, undo_kept_s)
            except BaseException:
                connection.close()
                raise
        except BaseException as error:
            self._lock.release()
            raise _told(error, self.path) from error
        self._writer = Writer(connection, self.path, on_problem or _log_problem)
        self._readers = Readers(self.path)
        ids = IdClock(newest)
        self.chats: Final = Chats(self._writer, self._readers, ids)
        self.messages: Final = Messages(self._writer, self._readers, ids)
        self.documents: Final = Documents(self._writer, self._readers)
        self.unread: Final = UnreadFiles(self._writer, self._readers)
        self.copies: Final = Copies(self._writer, ids)
        self.search: Final = Search(self._readers)

    def flush(self, timeout_s: float = 10.0) -> None:
        """Block until every write submitted so far is done; not for the GUI thread."""
        self._writer.submit(lambda connection: None).result(timeout_s)

    def unsaved(self, timeout_s: float = 1.0) -> tuple[str, ...]:
        """Words that found no room, oldest first; what is on its way may take so long to try."""
        with suppress(TimeoutError, UserError):
            self.flush(timeout_s)
        return self._writer.unsaved()

    def close(self) -> None:
        """Save what is left and let go of the file.

        Raises:
            UserError: ``stores.not_saved`` when words could not be saved.
        """
        try:
            self._writer.close()
        finally:
            self._readers.close()
            self._lock.release()

    def purge(self, older_than_s: float = 0.0) -> Future[None]:
        """Remove for good what was deleted longer ago than this."""
        return self._writer.submit(lambda connection: _purge(connection, older_than_s))

    def export_markdown(self, chat_id: int) -> str:
        """The shown branch of a chat as Markdown.

        Raises:
            LookupError: There is no such chat.
        """
        from app.store.export import to_markdown

        return to_markdown(self._contents(chat_id))

    def export_json(self, chat_id: int) -> bytes:
        """A chat with all versions as a JSON file.

        Raises:
            LookupError: There is no such chat.
        """
        from app.store.export import to_json

        contents = self._contents(chat_id)
        return to_json(contents.chat, self.messages.tree(chat_id), contents.documents)

    def _contents(self, chat_id: int) -> ChatContents:
        contents = self.messages.contents(chat_id)
        if contents is None:
            raise LookupError(f"there is no chat {chat_id}")
        return contents

    def import_json(self, path: Path) -> Future[Chat]:
        """Add a chat from a JSON file under new ids. Reads the file on the calling thread.

        Raises:
            UserError: ``stores.not_a_chat``, ``stores.chat_too_new``,
                ``stores.chat_file_unreadable``.
        """
        from app.store.export import read_chat_file

        file = read_chat_file(path)
        return self.copies.add(file.chat, file.messages, file.documents)


def chats_path() -> Path:
    """The database in the data folder."""
    return data_dir() / FILE_NAME


def _locked(path: Path) -> FileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sentence_for_system(error, path) from error
    return FileLock(path.with_name(path.name + ".lock"))


def _settle(connection: sqlite3.Connection, undo_kept_s: float) -> int:
    """Put in order what the last run left, and tell the newest id."""
    connection.execute("UPDATE messages SET state = 'interrupted' WHERE state = 'streaming'")
    connection.execute("BEGIN IMMEDIATE")
    _purge(connection, undo_kept_s)
    connection.execute("COMMIT")
    query = (
        "SELECT max(ifnull((SELECT max(id) FROM chats), 0),"
        " ifnull((SELECT max(id) FROM messages), 0), ifnull((SELECT max(id) FROM records), 0))"
    )
    newest: int = connection.execute(query).fetchone()[0]
    return newest


def _purge(connection: sqlite3.Connection, older_than_s: float) -> None:
    before_us = now_us() - round(older_than_s * 1_000_000)
    connection.execute("DELETE FROM chats WHERE deleted_us <= ?", (before_us,))
    connection.execute(
        "WITH RECURSIVE gone (id) AS (SELECT id FROM messages WHERE deleted_us <= ?"
        " UNION SELECT messages.id FROM messages JOIN gone ON messages.parent_id = gone.id)"
        " DELETE FROM messages WHERE id IN gone",
        (before_us,),
    )


def _told(error: BaseException, path: Path) -> BaseException:
    if isinstance(error, sqlite3.Error):
        return sentence_for(error, path) or error
    return error


def _log_problem(problem: Problem) -> None:
    _log.error("%s %s", problem.message, problem.detail)
