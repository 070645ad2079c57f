"""Copies of chats: a branch into a new chat, and chats that come in from a file."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from app.store.chats import find_chat, insert_chat
from app.store.documents import attach_document, documents_of_chat
from app.store.ids import IdClock, microseconds, now_us
from app.store.messages import insert_message, insert_records, read_branch, show_leaf
from app.store.rows import Chat, ChatDocument, Message, Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from concurrent.futures import Future

    from app.store.writer import Writer

_NUMBERED = re.compile(r" \(\d+\)$")
_MISSING = "stores.document_not_here"


class Copies:
    """Makes new chats out of what is there. Everything runs on the writer's thread."""

    def __init__(self, writer: Writer, ids: IdClock) -> None:
        self._writer = writer
        self._ids = ids

    def branch(self, message_id: int) -> Future[Chat]:
        """A new chat with the conversation up to a message."""
        return self._writer.submit(lambda at: self._branch(at, message_id))

    def add(
        self, chat: Chat, messages: Iterable[Message], documents: Iterable[ChatDocument]
    ) -> Future[Chat]:
        """A chat from elsewhere, under new ids. A parent must stand before its children.

        A document that is not stored here is named in a record of the last shown message.
        """
        return self._writer.submit(lambda at: self._add(at, chat, messages, documents))

    def _branch(self, connection: sqlite3.Connection, message_id: int) -> Chat:
        query = "SELECT chat_id FROM messages WHERE id = ?"
        row = connection.execute(query, (message_id,)).fetchone()
        chat = find_chat(connection, row[0]) if row else None
        if chat is None:
            raise LookupError(f"there is no message {message_id}")
        messages = read_branch(connection, chat.id, message_id)
        title = _next_title(connection, chat.title) if chat.title else ""
        branched = msgspec.structs.replace(
            chat, title=title, leaf_id=message_id, pinned=False, draft=""
        )
        kept = {message.id for message in messages}
        sent = [one for one in documents_of_chat(connection, chat.id) if one.message_id in kept]
        return self._add(connection, branched, messages, sent, created_us=now_us())

    def _add(
        self,
        connection: sqlite3.Connection,
        chat: Chat,
        messages: Iterable[Message],
        documents: Iterable[ChatDocument],
        created_us: int | None = None,
    ) -> Chat:
        new = msgspec.structs.replace(chat, id=self._ids.next(), leaf_id=None)
        insert_chat(connection, new, created_us or microseconds(chat.created_at))
        renamed: dict[int | None, int | None] = {None: None}
        for message in messages:
            renamed[message.id] = self._copy(connection, new.id, message, renamed)
        leaf_id = renamed.get(chat.leaf_id, next(reversed(renamed.values())))
        show_leaf(connection, new.id, leaf_id)
        self._take_documents(connection, new.id, documents, renamed, leaf_id)
        copied = find_chat(connection, new.id)
        if copied is None:
            raise LookupError("the copy is not there")
        return copied

    def _copy(
        self,
        connection: sqlite3.Connection,
        chat_id: int,
        message: Message,
        renamed: dict[int | None, int | None],
    ) -> int:
        new_id = self._ids.next()
        copy = msgspec.structs.replace(
            message,
            id=new_id,
            chat_id=chat_id,
            parent_id=renamed[message.parent_id],
            # Nothing goes on writing into a copy.
            state="interrupted" if message.state == "streaming" else message.state,
        )
        insert_message(connection, copy, self._ids)
        return new_id

    def _take_documents(
        self,
        connection: sqlite3.Connection,
        chat_id: int,
        documents: Iterable[ChatDocument],
        renamed: dict[int | None, int | None],
        leaf_id: int | None,
    ) -> None:
        for one in documents:
            query = "SELECT 1 FROM documents WHERE id = ?"
            if connection.execute(query, (one.document.id,)).fetchone():
                sent_with = renamed.get(one.message_id)
                attach_document(
                    connection, chat_id, one.document.id, one.mode, one.selection, sent_with
                )
            elif leaf_id is not None:
                record = Record(kind=_MISSING, data={"name": one.document.name})
                insert_records(connection, leaf_id, [record], self._ids)


def _next_title(connection: sqlite3.Connection, title: str) -> str:
    """The title with the first free number: two chats of one name cannot be told apart."""
    base = _NUMBERED.sub("", title)
    taken = "SELECT 1 FROM chats WHERE title = ? AND deleted_us IS NULL"
    numbered = (f"{base} ({number})" for number in count(2))
    return next(one for one in numbered if not connection.execute(taken, (one,)).fetchone())
