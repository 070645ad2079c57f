"""Messages of the chats: read a branch, add, edit, choose a version, delete and undo."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from app.store.chats import find_chat
from app.store.documents import documents_of_chat
from app.store.ids import IdClock, now_us, seconds
from app.store.rows import (
    ChatContents,
    Deletion,
    Json,
    Message,
    MessageState,
    Record,
    Role,
    Saving,
)
from app.store.streaming import ReplyStream
from app.store.tree import Children, children_of, leaf_without, newest_leaf
from engine.errors import Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from concurrent.futures import Future

    from app.store.database import Readers
    from app.store.writer import Writer

_COLUMNS = "id, chat_id, parent_id, role, state, created_us, stats, problem, text, thinking"
# Sorted by the caller: a sort in SQLite would carry the long texts along.
_BRANCH = f"""
WITH RECURSIVE branch (id) AS (
    SELECT ?
    UNION ALL
    SELECT parent_id FROM messages JOIN branch USING (id) WHERE parent_id IS NOT NULL
)
SELECT {_COLUMNS} FROM messages WHERE id IN branch
"""


def read_branch(connection: sqlite3.Connection, chat_id: int, leaf_id: int) -> tuple[Message, ...]:
    """The messages from the first one down to a leaf."""
    siblings = children_in(connection, chat_id)
    records = records_in(connection, chat_id)
    return tuple(
        _message_from(row, siblings.get(row[2], ()), records.get(row[0], ()))
        # A message is always younger than its parent, and ids grow with time.
        for row in sorted(connection.execute(_BRANCH, (leaf_id,)), key=itemgetter(0))
    )


def read_tree(connection: sqlite3.Connection, chat_id: int) -> tuple[Message, ...]:
    """All messages of a chat with all versions; a parent always stands before its children."""
    siblings = children_in(connection, chat_id)
    records = records_in(connection, chat_id)
    query = f"SELECT {_COLUMNS} FROM messages WHERE chat_id = ? AND deleted_us IS NULL ORDER BY id"
    return tuple(
        _message_from(row, siblings.get(row[2], ()), records.get(row[0], ()))
        for row in connection.execute(query, (chat_id,))
    )


def children_in(connection: sqlite3.Connection, chat_id: int) -> Children:
    """The shape of a chat's tree, without what was deleted."""
    query = "SELECT id, parent_id FROM messages WHERE chat_id = ? AND deleted_us IS NULL"
    return children_of(connection.execute(query, (chat_id,)))


def records_in(connection: sqlite3.Connection, chat_id: int) -> dict[int, tuple[Record, ...]]:
    """The records of a chat's messages, by message."""
    query = (
        "SELECT message_id, records.kind, records.data FROM records"
        " JOIN messages ON messages.id = message_id WHERE chat_id = ? ORDER BY records.id"
    )
    found: dict[int, tuple[Record, ...]] = {}
    for message_id, kind, data in connection.execute(query, (chat_id,)):
        record = Record(kind=kind, data=msgspec.json.decode(data))
        found[message_id] = (*found.get(message_id, ()), record)
    return found


def insert_message(connection: sqlite3.Connection, message: Message, ids: IdClock) -> None:
    """A new row with its records."""
    connection.execute(
        f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id,
            message.chat_id,
            message.parent_id,
            message.role,
            message.state,
            round(message.created_at * 1_000_000),
            _json(message.stats),
            _json(message.problem),
            message.text,
            message.thinking,
        ),
    )
    insert_records(connection, message.id, message.records, ids)


def insert_records(
    connection: sqlite3.Connection, message_id: int, records: Iterable[Record], ids: IdClock
) -> None:
    """New records at the end of a message's."""
    connection.executemany(
        "INSERT INTO records (id, message_id, kind, data) VALUES (?, ?, ?, ?)",
        [(ids.next(), message_id, record.kind, _json(record.data)) for record in records],
    )


def show_leaf(connection: sqlite3.Connection, chat_id: int, leaf_id: int | None) -> None:
    """Make a message the end of the branch that is shown."""
    connection.execute(
        "UPDATE chats SET leaf_id = ?, updated_us = ? WHERE id = ?", (leaf_id, now_us(), chat_id)
    )


class Messages:
    """Messages of all chats. Reads run on the calling thread, writes on the writer's."""

    def __init__(self, writer: Writer, readers: Readers, ids: IdClock) -> None:
        self._writer = writer
        self._readers = readers
        self._ids = ids

    def contents(self, chat_id: int) -> ChatContents | None:
        """A chat with its shown branch and its documents, or None when there is no such chat."""
        with self._readers.lend() as connection:
            chat = find_chat(connection, chat_id)
            if chat is None:
                return None
            branch = () if chat.leaf_id is None else read_branch(connection, chat_id, chat.leaf_id)
            return ChatContents(
                chat=chat, messages=branch, documents=documents_of_chat(connection, chat_id)
            )

    def tree(self, chat_id: int) -> tuple[Message, ...]:
        """All messages with all versions."""
        with self._readers.lend() as connection:
            return read_tree(connection, chat_id)

    def add(
        self,
        chat_id: int,
        parent_id: int | None,
        role: Role,
        text: str = "",
        *,
        state: MessageState = "complete",
        records: tuple[Record, ...] = (),
    ) -> Saving[Message]:
        """Add a message under another and show its branch.

        An edited question and a regenerated reply are added under the parent of the message they
        replace, and so become versions of it. The `versions` of the result are not filled in.
        """
        message = Message(
            id=self._ids.next(),
            chat_id=chat_id,
            parent_id=parent_id,
            role=role,
            text=text,
            state=state,
            records=records,
            created_at=seconds(now_us()),
        )
        done = self._writer.submit(
            lambda at: _add(at, message, self._ids), holds="words", words=text
        )
        return Saving(message, done)

    def stream(self, message: Message) -> ReplyStream:
        """Write into a message piece by piece, after what it holds already."""
        return ReplyStream(
            message.id, self._writer.gather, text=message.text, thinking=message.thinking
        )

    def set_text(self, message_id: int, text: str) -> Future[None]:
        """Change a message in place."""
        query = "UPDATE messages SET text = ? WHERE id = ?"
        return self._writer.submit(
            lambda at: _run(at, query, (text, message_id)), holds="words", words=text
        )

    def set_stats(self, message_id: int, stats: Json) -> Future[None]:
        """Keep other figures of a reply that is finished."""
        query = "UPDATE messages SET stats = ? WHERE id = ?"
        return self._writer.submit(lambda at: _run(at, query, (_json(stats), message_id)))

    def add_records(self, message_id: int, records: Iterable[Record]) -> Future[None]:
        """Note what was left out or done differently for this message."""
        kept = tuple(records)
        return self._writer.submit(
            lambda at: insert_records(at, message_id, kept, self._ids), holds="words"
        )

    def set_record(self, message_id: int, index: int, record: Record) -> Future[None]:
        """Change one of a message's records, counted from 0."""
        query = (
            "UPDATE records SET kind = ?, data = ? WHERE id = (SELECT id FROM records"
            " WHERE message_id = ? ORDER BY id LIMIT 1 OFFSET ?)"
        )
        values = (record.kind, _json(record.data), message_id, index)
        return self._writer.submit(lambda at: _run(at, query, values))

    def select(self, message_id: int) -> Future[int]:
        """Show the branch through a message; the result is the id of its last message."""
        return self._writer.submit(lambda at: _select(at, message_id))

    def delete(self, message_id: int) -> Future[Deletion]:
        """Take out a message with all that follows it; `undo` brings it back until the purge."""
        stamp_us = self._ids.next()
        return self._writer.submit(lambda at: _delete(at, message_id, stamp_us))

    def undo(self, deletion: Deletion) -> Future[None]:
        """Bring back what was deleted, and show the branch that was shown then.

        Nothing happens when it was purged, or when what it stood under was deleted meanwhile.
        """
        return self._writer.submit(lambda at: _undo(at, deletion))


def _add(connection: sqlite3.Connection, message: Message, ids: IdClock) -> None:
    if message.parent_id is not None:
        chat_id, _ = _place_of(connection, message.parent_id)
        if chat_id != message.chat_id:
            raise ValueError(f"message {message.parent_id} belongs to another chat")
    insert_message(connection, message, ids)
    show_leaf(connection, message.chat_id, message.id)


def _select(connection: sqlite3.Connection, message_id: int) -> int:
    chat_id, _ = _place_of(connection, message_id)
    leaf_id = newest_leaf(children_in(connection, chat_id), message_id)
    connection.execute("UPDATE chats SET leaf_id = ? WHERE id = ?", (leaf_id, chat_id))
    return leaf_id


def _delete(connection: sqlite3.Connection, message_id: int, stamp_us: int) -> Deletion:
    chat_id, parent_id = _place_of(connection, message_id)
    children = children_in(connection, chat_id)
    shown = connection.execute("SELECT leaf_id FROM chats WHERE id = ?", (chat_id,)).fetchone()[0]
    gone = {message_id}
    below = [message_id]
    while below:
        below = [child for parent in below for child in children.get(parent, ())]
        gone.update(below)
    connection.executemany(
        "UPDATE messages SET deleted_us = ? WHERE id = ?", [(stamp_us, one) for one in gone]
    )
    if shown in gone:
        show_leaf(connection, chat_id, leaf_without(children, message_id, parent_id))
    return Deletion(chat_id=chat_id, message_id=message_id, stamp_us=stamp_us, leaf_id=shown)


def _undo(connection: sqlite3.Connection, deletion: Deletion) -> None:
    if deletion.message_id is None:
        raise ValueError("this deletion is of a chat")
    query = (
        "SELECT 1 FROM messages AS gone LEFT JOIN messages AS parent ON parent.id = gone.parent_id"
        " WHERE gone.id = ? AND gone.deleted_us = ? AND parent.deleted_us IS NULL"
    )
    # Purged, brought back already, or under a message that is itself deleted now.
    if connection.execute(query, (deletion.message_id, deletion.stamp_us)).fetchone() is None:
        return
    query = "UPDATE messages SET deleted_us = NULL WHERE chat_id = ? AND deleted_us = ?"
    connection.execute(query, (deletion.chat_id, deletion.stamp_us))
    if deletion.leaf_id is not None:
        show_leaf(connection, deletion.chat_id, deletion.leaf_id)


def _place_of(connection: sqlite3.Connection, message_id: int) -> tuple[int, int | None]:
    query = "SELECT chat_id, parent_id FROM messages WHERE id = ? AND deleted_us IS NULL"
    row = connection.execute(query, (message_id,)).fetchone()
    if row is None:
        raise LookupError(f"there is no message {message_id}")
    return row[0], row[1]


def _run(connection: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> None:
    connection.execute(query, values)


def _message_from(
    row: tuple[Any, ...], versions: tuple[int, ...], records: tuple[Record, ...]
) -> Message:
    stats: Json | None = msgspec.json.decode(row[6]) if row[6] else None
    return Message(
        id=row[0],
        chat_id=row[1],
        parent_id=row[2],
        role=row[3],
        state=row[4],
        created_at=seconds(row[5]),
        stats=stats,
        problem=msgspec.json.decode(row[7], type=Problem) if row[7] else None,
        text=row[8],
        thinking=row[9],
        records=records,
        versions=versions,
    )


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
