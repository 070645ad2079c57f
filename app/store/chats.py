"""The list of chats: create, rename, pin, folder, draft, settings, delete and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from app.store.ids import IdClock, now_us, seconds
from app.store.rows import Chat, Deletion, Json, Saving

if TYPE_CHECKING:
    import sqlite3
    from concurrent.futures import Future

    from app.store.database import Readers
    from app.store.writer import Writer

_TITLE_CHARACTERS = 60
_COLUMNS = (
    "id, title, pinned, folder, draft, settings, token_count, leaf_id, created_us, updated_us"
)


def title_from(text: str) -> str:
    """A title for a chat out of its first message: the first line, cut at a word."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if len(line) <= _TITLE_CHARACTERS:
        return line
    cut = line[:_TITLE_CHARACTERS]
    whole_words, space, _ = cut.rpartition(" ")
    return (whole_words if space else cut).rstrip(" ,;:-") + "…"


def chat_from(row: tuple[Any, ...]) -> Chat:
    """A chat from a row of `_COLUMNS`."""
    return Chat(
        id=row[0],
        title=row[1],
        pinned=bool(row[2]),
        folder=row[3],
        draft=row[4],
        settings=msgspec.json.decode(row[5]),
        token_count=row[6],
        leaf_id=row[7],
        created_at=seconds(row[8]),
        updated_at=seconds(row[9]),
    )


def find_chat(connection: sqlite3.Connection, chat_id: int) -> Chat | None:
    """A chat that is not deleted, or None."""
    query = f"SELECT {_COLUMNS} FROM chats WHERE id = ? AND deleted_us IS NULL"
    row = connection.execute(query, (chat_id,)).fetchone()
    return chat_from(row) if row else None


def insert_chat(connection: sqlite3.Connection, chat: Chat, created_us: int) -> None:
    """A new row; the leaf is set when its messages are there."""
    connection.execute(
        "INSERT INTO chats (id, title, pinned, folder, draft, settings, token_count, created_us,"
        " updated_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            chat.id,
            chat.title,
            chat.pinned,
            chat.folder,
            chat.draft,
            msgspec.json.encode(chat.settings).decode(),
            chat.token_count,
            created_us,
            created_us,
        ),
    )


class Chats:
    """All chats. Reads run on the calling thread, writes on the writer's."""

    def __init__(self, writer: Writer, readers: Readers, ids: IdClock) -> None:
        self._writer = writer
        self._readers = readers
        self._ids = ids

    def all(self) -> tuple[Chat, ...]:
        """Every chat, pinned ones first, then by last change."""
        query = (
            f"SELECT {_COLUMNS} FROM chats WHERE deleted_us IS NULL"
            " ORDER BY pinned DESC, updated_us DESC, id DESC"
        )
        with self._readers.lend() as connection:
            return tuple(map(chat_from, connection.execute(query)))

    def get(self, chat_id: int) -> Chat | None:
        """One chat, or None."""
        with self._readers.lend() as connection:
            return find_chat(connection, chat_id)

    def folders(self) -> tuple[str, ...]:
        """Names of all folders that hold a chat."""
        query = (
            "SELECT DISTINCT folder FROM chats WHERE folder <> '' AND deleted_us IS NULL"
            " ORDER BY folder COLLATE NOCASE"
        )
        with self._readers.lend() as connection:
            return tuple(row[0] for row in connection.execute(query))

    def create(
        self,
        *,
        title: str = "",
        folder: str = "",
        settings: Json | None = None,
    ) -> Saving[Chat]:
        """Begin an empty chat."""
        chat_id, at_us = self._ids.next(), now_us()
        chat = Chat(
            id=chat_id,
            title=title,
            folder=folder,
            settings=settings or {},
            created_at=seconds(at_us),
            updated_at=seconds(at_us),
        )
        done = self._writer.submit(
            lambda connection: insert_chat(connection, chat, at_us), holds="place"
        )
        return Saving(chat, done)

    def rename(self, chat_id: int, title: str) -> Future[None]:
        """Give it another title."""
        return self._set(chat_id, "title", title)

    def pin(self, chat_id: int, *, pinned: bool) -> Future[None]:
        """Keep it at the top of the list, or no longer."""
        return self._set(chat_id, "pinned", pinned)

    def move(self, chat_id: int, folder: str) -> Future[None]:
        """Put it into a folder; an empty name takes it out."""
        return self._set(chat_id, "folder", folder)

    def set_draft(self, chat_id: int, draft: str) -> Future[None]:
        """Keep what stands in the composer."""
        return self._set(chat_id, "draft", draft)

    def set_settings(self, chat_id: int, settings: Json) -> Future[None]:
        """Keep the generation settings that differ in this chat."""
        return self._set(chat_id, "settings", msgspec.json.encode(settings).decode())

    def set_token_count(self, chat_id: int, token_count: int | None) -> Future[None]:
        """Keep how many tokens it holds."""
        return self._set(chat_id, "token_count", token_count)

    def delete(self, chat_id: int) -> Saving[Deletion]:
        """Take it out of the list; `undo` brings it back until it is purged."""
        stamp_us = self._ids.next()
        query = "UPDATE chats SET deleted_us = ? WHERE id = ? AND deleted_us IS NULL"
        done = self._writer.submit(lambda connection: _run(connection, query, (stamp_us, chat_id)))
        return Saving(Deletion(chat_id=chat_id, stamp_us=stamp_us), done)

    def undo(self, deletion: Deletion) -> Future[None]:
        """Bring back a deleted chat; nothing happens when it was purged."""
        query = "UPDATE chats SET deleted_us = NULL WHERE id = ? AND deleted_us = ?"
        values = (deletion.chat_id, deletion.stamp_us)
        return self._writer.submit(lambda connection: _run(connection, query, values))

    def _set(self, chat_id: int, column: str, value: str | int | None) -> Future[None]:
        query = f"UPDATE chats SET {column} = ? WHERE id = ?"
        return self._writer.submit(lambda connection: _run(connection, query, (value, chat_id)))


def _run(connection: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> None:
    connection.execute(query, values)
