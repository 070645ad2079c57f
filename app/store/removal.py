"""Takes a document out of the database with all that hangs on it, and puts it back unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.store.rows import RemovedDocument

if TYPE_CHECKING:
    import sqlite3

# The document first: the rest refers to it.
_TABLES = (
    ("documents", "id"),
    ("document_facts", "document_id"),
    ("token_counts", "document_id"),
    ("chat_documents", "document_id"),
)
_CHATS = "SELECT chat_id FROM chat_documents WHERE document_id = ?"
_HAS_CHAT = "SELECT 1 FROM chats WHERE id = ?"
_FORGET_LOST_MESSAGES = (
    "UPDATE chat_documents SET message_id = NULL WHERE message_id IS NOT NULL"
    " AND message_id NOT IN (SELECT id FROM messages)"
)


def remove_document(connection: sqlite3.Connection, document_id: str) -> RemovedDocument:
    """Delete a document; what is needed to put it back is returned."""
    rows = []
    for table, key in _TABLES:
        query = f"SELECT * FROM {table} WHERE {key} = ?"
        rows += [(table, tuple(row)) for row in connection.execute(query, (document_id,))]
    name = connection.execute("SELECT name FROM documents WHERE id = ?", (document_id,)).fetchone()
    chat_ids = tuple(row[0] for row in connection.execute(_CHATS, (document_id,)))
    connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
    return RemovedDocument(name=name[0] if name else "", rows=tuple(rows), chat_ids=chat_ids)


def put_back_document(connection: sqlite3.Connection, removed: RemovedDocument) -> None:
    """Insert what `remove_document` deleted, but for chats and messages that are gone."""
    # A message that is gone is forgotten below, before the end of the transaction.
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for table, row in removed.rows:
        marks = ", ".join("?" * len(row))
        query = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"
        if table != "chat_documents" or connection.execute(_HAS_CHAT, row[:1]).fetchone():
            connection.execute(query, row)
    connection.execute(_FORGET_LOST_MESSAGES)
