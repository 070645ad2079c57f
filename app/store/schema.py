"""The tables of the chat database and how an older file becomes a newer one.

A chat is a tree of messages: siblings are versions of one another, `chats.leaf_id` names the end
of the branch that is shown. Ids are microseconds since the epoch made unique, so that they sort by
creation and are never used twice, not even after a database was replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_FIRST = """
CREATE TABLE chats (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL DEFAULT '',
    pinned INTEGER NOT NULL DEFAULT 0,
    folder TEXT NOT NULL DEFAULT '',
    draft TEXT NOT NULL DEFAULT '',
    settings TEXT NOT NULL DEFAULT '{}',
    token_count INTEGER,
    leaf_id INTEGER REFERENCES messages (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    deleted_us INTEGER
);
CREATE INDEX chats_by_update ON chats (pinned DESC, updated_us DESC) WHERE deleted_us IS NULL;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    -- No cascade: a long conversation is a deep chain, and SQLite cascades 1,000 levels at most.
    parent_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    state TEXT NOT NULL
        CHECK (state IN ('complete', 'streaming', 'stopped', 'failed', 'interrupted')),
    created_us INTEGER NOT NULL,
    deleted_us INTEGER,
    stats TEXT,
    problem TEXT,
    -- Long columns last: SQLite walks through them to reach what stands behind.
    text TEXT NOT NULL DEFAULT '',
    thinking TEXT NOT NULL DEFAULT ''
);
CREATE INDEX messages_by_chat ON messages (chat_id, deleted_us, parent_id);
CREATE INDEX messages_by_parent ON messages (parent_id);
CREATE INDEX messages_streaming ON messages (state) WHERE state = 'streaming';

CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX records_by_message ON records (message_id);

CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    path TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    page_count INTEGER NOT NULL,
    char_count INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE token_counts (
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    vocabulary_id TEXT NOT NULL,
    total INTEGER NOT NULL,
    by_page BLOB NOT NULL,
    PRIMARY KEY (document_id, vocabulary_id)
) WITHOUT ROWID;

CREATE TABLE chat_documents (
    chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    mode TEXT NOT NULL,
    selection TEXT NOT NULL DEFAULT '',
    message_id INTEGER REFERENCES messages (id) ON DELETE SET NULL,
    PRIMARY KEY (chat_id, document_id)
) WITHOUT ROWID;
CREATE INDEX chat_documents_by_document ON chat_documents (document_id);
CREATE INDEX chat_documents_by_message ON chat_documents (message_id);

CREATE VIRTUAL TABLE title_index USING fts5 (
    title, content='chats', content_rowid='id', prefix='2 3',
    tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER title_insert AFTER INSERT ON chats BEGIN
    INSERT INTO title_index (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER title_delete AFTER DELETE ON chats BEGIN
    INSERT INTO title_index (title_index, rowid, title) VALUES ('delete', old.id, old.title);
END;
CREATE TRIGGER title_update AFTER UPDATE OF title ON chats BEGIN
    INSERT INTO title_index (title_index, rowid, title) VALUES ('delete', old.id, old.title);
    INSERT INTO title_index (rowid, title) VALUES (new.id, new.title);
END;

-- A reply is indexed once it stands: indexing it anew twice a second while it grows is waste.
CREATE VIRTUAL TABLE text_index USING fts5 (
    text, content='messages', content_rowid='id', prefix='2 3',
    tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER text_insert AFTER INSERT ON messages WHEN new.state <> 'streaming' BEGIN
    INSERT INTO text_index (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER text_delete AFTER DELETE ON messages WHEN old.state <> 'streaming' BEGIN
    INSERT INTO text_index (text_index, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER text_update AFTER UPDATE OF text, state ON messages BEGIN
    INSERT INTO text_index (text_index, rowid, text)
        SELECT 'delete', old.id, old.text WHERE old.state <> 'streaming';
    INSERT INTO text_index (rowid, text)
        SELECT new.id, new.text WHERE new.state <> 'streaming';
END;
"""

# Not in the rows of the documents, which hold the text: a list would have to read past it.
_LIBRARY = """
CREATE TABLE document_facts (
    document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    title TEXT NOT NULL DEFAULT '',
    word_count INTEGER,
    notes BLOB
) WITHOUT ROWID;
ALTER TABLE chat_documents ADD COLUMN kept TEXT NOT NULL DEFAULT '';
"""

# Noted before a file is read, and taken away once its text is stored or nobody wants it.
_UNREAD = """
CREATE TABLE unread_files (
    -- Without a chat it was meant for the library alone.
    chat_id INTEGER REFERENCES chats (id) ON DELETE CASCADE,
    path TEXT NOT NULL
);
CREATE INDEX unread_files_by_chat ON unread_files (chat_id);
"""

# The script at index n takes a database from `user_version` n to n + 1.
MIGRATIONS: tuple[str, ...] = (_FIRST, _LIBRARY, _UNREAD)


def migrate(connection: sqlite3.Connection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring a database to the newest version, each step whole or not at all."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(migrations[version:], start=version + 1):
        # executescript commits what is open first: the transaction has to be inside the script.
        try:
            connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
