"""The tables of the search index. Everything in them can be made again from the documents."""

from __future__ import annotations

from engine.documents.retrieval.chunks import CHUNKING_VERSION

_LAYOUT_VERSION = 2
VERSION = _LAYOUT_VERSION * 1000 + CHUNKING_VERSION
TABLES = ("indexed", "chunk", "chunk_words", "vector", "shortened")
SCHEMA = """
CREATE TABLE IF NOT EXISTS indexed (
    document_id TEXT PRIMARY KEY,
    characters INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunk (
    id INTEGER PRIMARY KEY,
    document_id TEXT NOT NULL,
    page_number INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE VIRTUAL TABLE IF NOT EXISTS chunk_words USING fts5 (
    heading, body, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TABLE IF NOT EXISTS vector (
    chunk_id INTEGER NOT NULL,
    model_id TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (model_id, chunk_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shortened (
    chunk_id INTEGER NOT NULL,
    model_id TEXT NOT NULL,
    PRIMARY KEY (model_id, chunk_id)
) WITHOUT ROWID;
"""
