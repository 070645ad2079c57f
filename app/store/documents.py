"""Documents: their extracted text stored once, token counts, and which chats they serve."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from app.store.ids import now_us, seconds
from app.store.removal import put_back_document, remove_document
from app.store.rows import (
    ChatDocument,
    DocumentInfo,
    DocumentUse,
    RemovedDocument,
    Saving,
    TokenCounts,
)
from engine.documents.model import Document
from engine.errors import Problem

if TYPE_CHECKING:
    import sqlite3
    from concurrent.futures import Future

    from app.store.database import Readers
    from app.store.writer import Writer

_NAMES = (
    "id",
    "name",
    "path",
    "kind",
    "size_bytes",
    "mtime_ns",
    "page_count",
    "char_count",
    "created_us",
)
_COLUMNS = ", ".join((*(f"documents.{name}" for name in _NAMES), "title", "word_count", "notes"))
_FROM = "documents LEFT JOIN document_facts ON document_facts.document_id = documents.id"
_NOTES: msgspec.msgpack.Decoder[tuple[Problem, ...]] = msgspec.msgpack.Decoder(tuple[Problem, ...])


def documents_of_chat(connection: sqlite3.Connection, chat_id: int) -> tuple[ChatDocument, ...]:
    """A chat's documents in the order in which they stand in its prompt."""
    query = (
        f"SELECT {_COLUMNS}, mode, selection, message_id, kept FROM chat_documents"
        " JOIN documents ON documents.id = chat_documents.document_id"
        " LEFT JOIN document_facts ON document_facts.document_id = documents.id"
        " WHERE chat_id = ? ORDER BY position"
    )
    return tuple(
        ChatDocument(
            document=_info_from(row),
            mode=row[-4],
            selection=row[-3],
            message_id=row[-2],
            kept=row[-1],
        )
        for row in connection.execute(query, (chat_id,))
    )


def attach_document(
    connection: sqlite3.Connection,
    chat_id: int,
    document_id: str,
    mode: str,
    selection: str,
    message_id: int | None = None,
) -> None:
    """Put a document behind a chat's others; one that is there already stays in its place."""
    connection.execute(
        "INSERT INTO chat_documents (chat_id, document_id, position, mode, selection, message_id)"
        " VALUES (?1, ?2, (SELECT ifnull(max(position), 0) + 1 FROM chat_documents"
        " WHERE chat_id = ?1), ?3, ?4, ?5) ON CONFLICT DO UPDATE SET"
        " mode = excluded.mode, selection = excluded.selection",
        (chat_id, document_id, mode, selection, message_id),
    )


class Documents:
    """All documents. Reads run on the calling thread, writes on the writer's."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def put(self, document: Document) -> Saving[DocumentInfo]:
        """Store a document; the same content again only updates its name, path and times.

        A name that the user gave it stays. Compresses on the calling thread: not for the GUI
        thread.
        """
        info = DocumentInfo(
            id=document.id,
            name=self._title(document.id) or document.name,
            path=document.path,
            kind=document.kind,
            size_bytes=document.size_bytes,
            mtime_ns=document.mtime_ns,
            page_count=len(document.pages),
            char_count=document.char_count,
            created_at=seconds(at_us := now_us()),
            word_count=document.word_count,
            notes=document.notes,
        )
        body = zlib.compress(msgspec.msgpack.encode(document))
        named = msgspec.structs.replace(info, name=document.name)
        return Saving(info, self._writer.submit(lambda at: _put(at, named, body, at_us)))

    def get(self, document_id: str) -> Document | None:
        """A whole document with its pages, or None. Unpacks on the calling thread."""
        with self._readers.lend() as connection:
            query = f"SELECT {_COLUMNS}, body FROM {_FROM} WHERE id = ?"
            row = connection.execute(query, (document_id,)).fetchone()
        if row is None:
            return None
        document = msgspec.msgpack.decode(zlib.decompress(row[-1]), type=Document)
        info = _info_from(row)
        return msgspec.structs.replace(
            document, name=info.name, path=info.path, mtime_ns=info.mtime_ns
        )

    def info(self, document_id: str) -> DocumentInfo | None:
        """A document without its text, or None."""
        with self._readers.lend() as connection:
            query = f"SELECT {_COLUMNS} FROM {_FROM} WHERE id = ?"
            row = connection.execute(query, (document_id,)).fetchone()
        return _info_from(row) if row else None

    def all(self) -> tuple[DocumentInfo, ...]:
        """Every document, the newest first."""
        with self._readers.lend() as connection:
            query = f"SELECT {_COLUMNS} FROM {_FROM} ORDER BY created_us DESC, id"
            return tuple(map(_info_from, connection.execute(query)))

    def uses(self) -> dict[str, tuple[DocumentUse, ...]]:
        """Which chats each document serves, the newest first."""
        query = (
            "SELECT document_id, chats.id, chats.title FROM chat_documents"
            " JOIN chats ON chats.id = chat_id WHERE deleted_us IS NULL ORDER BY updated_us DESC"
        )
        found: dict[str, tuple[DocumentUse, ...]] = {}
        with self._readers.lend() as connection:
            for document_id, chat_id, title in connection.execute(query):
                use = DocumentUse(chat_id=chat_id, title=title)
                found[document_id] = (*found.get(document_id, ()), use)
        return found

    def rename(self, document_id: str, name: str) -> Future[None]:
        """Call a document something else than its file; an empty name goes back to the file's."""
        query = (
            "INSERT INTO document_facts (document_id, title) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET title = excluded.title"
        )
        return self._run(query, document_id, name)

    def set_facts(self, document: Document) -> Future[None]:
        """Note what older versions did not keep of a document: its words, what was not read."""
        return self._writer.submit(
            lambda at: _set_facts(at, document.id, document.word_count, document.notes)
        )

    def touch(self, document_id: str, mtime_ns: int) -> Future[None]:
        """Note that its file has another time of change and the same content."""
        return self._run("UPDATE documents SET mtime_ns = ? WHERE id = ?", mtime_ns, document_id)

    def remove(self, document_id: str) -> Future[RemovedDocument]:
        """Take a document out of the library and out of every chat, so that it can go back."""
        return self._writer.submit(lambda at: remove_document(at, document_id))

    def put_back(self, removed: RemovedDocument) -> Future[None]:
        """Undo `remove`; a chat that is gone meanwhile is left out."""
        return self._writer.submit(lambda at: put_back_document(at, removed))

    def of_chat(self, chat_id: int) -> tuple[ChatDocument, ...]:
        """A chat's documents in their order."""
        with self._readers.lend() as connection:
            return documents_of_chat(connection, chat_id)

    def attach(
        self,
        chat_id: int,
        document_id: str,
        *,
        mode: str = "whole",
        selection: str = "",
    ) -> Future[None]:
        """Give a stored document to a chat, or change how it is given."""
        return self._writer.submit(
            lambda at: attach_document(at, chat_id, document_id, mode, selection)
        )

    def keep(self, chat_id: int, document_id: str, version: str) -> Future[None]:
        """Note which later state of a document's file is left aside in a chat."""
        query = "UPDATE chat_documents SET kept = ? WHERE (chat_id, document_id) = (?, ?)"
        return self._run(query, version, chat_id, document_id)

    def replace(self, chat_id: int, document_id: str, other_id: str) -> Future[None]:
        """Give a chat another document in the place of one it has; it was not sent yet."""
        query = (
            "UPDATE OR REPLACE chat_documents SET document_id = ?, message_id = NULL, kept = ''"
            " WHERE (chat_id, document_id) = (?, ?)"
        )
        return self._run(query, other_id, chat_id, document_id)

    def detach(self, chat_id: int, document_id: str) -> Future[None]:
        """Take a document out of a chat; it stays stored."""
        query = "DELETE FROM chat_documents WHERE chat_id = ? AND document_id = ?"
        return self._run(query, chat_id, document_id)

    def mark_sent(self, chat_id: int, message_id: int) -> Future[None]:
        """Note that the documents waiting in the composer went out with a message."""
        query = "UPDATE chat_documents SET message_id = ? WHERE chat_id = ? AND message_id IS NULL"
        return self._run(query, message_id, chat_id)

    def token_counts(self, document_id: str, vocabulary_id: str) -> TokenCounts | None:
        """Tokens of a document for a vocabulary, or None when they were not counted yet."""
        query = (
            "SELECT total, by_page FROM token_counts WHERE (document_id, vocabulary_id) = (?, ?)"
        )
        with self._readers.lend() as connection:
            row = connection.execute(query, (document_id, vocabulary_id)).fetchone()
        if row is None:
            return None
        by_page = msgspec.msgpack.decode(row[1], type=tuple[int, ...])
        return TokenCounts(total=row[0], by_page=by_page)

    def set_token_counts(
        self, document_id: str, vocabulary_id: str, counts: TokenCounts
    ) -> Future[None]:
        """Keep a document's tokens for a vocabulary."""
        query = "INSERT OR REPLACE INTO token_counts VALUES (?, ?, ?, ?)"
        by_page = msgspec.msgpack.encode(counts.by_page)
        return self._run(query, document_id, vocabulary_id, counts.total, by_page)

    def token_totals(self, vocabulary_id: str) -> dict[str, int]:
        """Tokens in all for a vocabulary, of each document that was counted."""
        query = "SELECT document_id, total FROM token_counts WHERE vocabulary_id = ?"
        with self._readers.lend() as connection:
            return dict(connection.execute(query, (vocabulary_id,)).fetchall())

    def _title(self, document_id: str) -> str:
        query = "SELECT title FROM document_facts WHERE document_id = ?"
        with self._readers.lend() as connection:
            row = connection.execute(query, (document_id,)).fetchone()
        return row[0] if row else ""

    def _run(self, query: str, *values: str | int | bytes) -> Future[None]:
        return self._writer.submit(lambda at: _run(at, query, values))


def _put(connection: sqlite3.Connection, info: DocumentInfo, body: bytes, at_us: int) -> None:
    connection.execute(
        f"INSERT INTO documents ({', '.join(_NAMES)}, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET name = excluded.name, path = excluded.path,"
        " mtime_ns = excluded.mtime_ns, page_count = excluded.page_count,"
        " char_count = excluded.char_count, body = excluded.body",
        (
            info.id,
            info.name,
            info.path,
            info.kind,
            info.size_bytes,
            info.mtime_ns,
            info.page_count,
            info.char_count,
            at_us,
            body,
        ),
    )
    _set_facts(connection, info.id, info.word_count, info.notes)


def _set_facts(
    connection: sqlite3.Connection,
    document_id: str,
    word_count: int | None,
    notes: tuple[Problem, ...],
) -> None:
    connection.execute(
        "INSERT INTO document_facts (document_id, word_count, notes) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET word_count = excluded.word_count, notes = excluded.notes",
        (document_id, word_count, msgspec.msgpack.encode(notes)),
    )


def _run(connection: sqlite3.Connection, query: str, values: tuple[str | int | bytes, ...]) -> None:
    connection.execute(query, values)


def _info_from(row: tuple[Any, ...]) -> DocumentInfo:
    return DocumentInfo(
        id=row[0],
        name=row[9] or row[1],
        path=row[2],
        kind=row[3],
        size_bytes=row[4],
        mtime_ns=row[5],
        page_count=row[6],
        char_count=row[7],
        created_at=seconds(row[8]),
        word_count=row[10],
        notes=_NOTES.decode(row[11]) if row[11] else (),
    )
