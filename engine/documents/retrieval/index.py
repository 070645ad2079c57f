"""The search index: chunks of documents in SQLite with FTS5, and their vectors beside them.

One file serves the whole library. A document is indexed once, by its content hash; vectors are kept
per embedding model.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.documents.retrieval.chunks import Chunk, chunk_page
from engine.documents.retrieval.words import match_expression, searchable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.documents.model import Document

_SCHEMA = """
CREATE TABLE IF NOT EXISTS indexed (
    document_id TEXT PRIMARY KEY,
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
"""
# A word in the heading says more about a chunk than one in its text.
_HEADING_WEIGHT = 2.0
_LAYOUT_VERSION = 1


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that was found: larger scores are better; ranks count from 1."""

    chunk_id: int
    score: float
    rank: int


class DocumentIndex:
    """Owns the connection. Thread-safe: calls wait for one another. Close when done."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the index at `path`, or one in memory."""
        self._lock = threading.Lock()
        self._db = sqlite3.connect(str(path or ":memory:"), check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        if self._db.execute("PRAGMA user_version").fetchone()[0] not in (0, _LAYOUT_VERSION):
            # Everything here can be made again from the documents.
            for table in ("indexed", "chunk", "chunk_words", "vector"):
                self._db.execute(f"DROP TABLE IF EXISTS {table}")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version = {_LAYOUT_VERSION}")
        self._vectors: dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]] = {}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add(self, document: Document) -> int:
        """Index a document unless it is already; return how many chunks it has."""
        with self._lock, self._db:
            sql = "SELECT first_id, last_id FROM indexed WHERE document_id = ?"
            known = self._db.execute(sql, (document.id,)).fetchone()
            if known:
                return int(known[1] - known[0] + 1)
            first = self._db.execute("SELECT coalesce(max(last_id), 0) FROM indexed").fetchone()[0]
            titles = _titles_by_page(document)
            chunk_id = first
            for page in document.pages:
                for chunk in chunk_page(document.id, page):
                    chunk_id += 1
                    self._insert(chunk_id, chunk, titles[page.number])
            self._db.execute(
                "INSERT INTO indexed VALUES (?, ?, ?)", (document.id, first + 1, chunk_id)
            )
            return int(chunk_id - first)

    def remove(self, document_id: str) -> None:
        """Forget a document."""
        with self._lock, self._db:
            for bounds in self._ranges([document_id]):
                self._db.execute("DELETE FROM chunk_words WHERE rowid BETWEEN ? AND ?", bounds)
                self._db.execute("DELETE FROM vector WHERE chunk_id BETWEEN ? AND ?", bounds)
                self._db.execute("DELETE FROM chunk WHERE id BETWEEN ? AND ?", bounds)
            self._db.execute("DELETE FROM indexed WHERE document_id = ?", (document_id,))
            self._vectors.clear()

    def search_words(
        self, question: str, document_ids: Sequence[str], limit: int = 50
    ) -> list[Hit]:
        """The chunks of these documents that share words with the question, best first (BM25)."""
        expression = match_expression(question)
        with self._lock:
            ranges = self._ranges(document_ids)
            if not expression or not ranges:
                return []
            # Chunks of a document have neighbouring ids, so no other table needs to be asked.
            within = " OR ".join("rowid BETWEEN ? AND ?" for _ in ranges)
            sql = (
                "SELECT rowid, rank FROM chunk_words WHERE chunk_words MATCH ?"
                f" AND rank MATCH 'bm25({_HEADING_WEIGHT}, 1.0)' AND ({within})"
                " ORDER BY rank LIMIT ?"
            )
            bounds = [bound for pair in ranges for bound in pair]
            rows = self._db.execute(sql, (expression, *bounds, limit)).fetchall()
        return [
            Hit(chunk_id=chunk_id, score=-cost, rank=rank)
            for rank, (chunk_id, cost) in enumerate(rows, start=1)
        ]

    def search_vector(
        self,
        vector: NDArray[np.float32],
        model_id: str,
        document_ids: Sequence[str],
        limit: int = 50,
    ) -> list[Hit]:
        """The chunks of these documents whose vectors point most nearly where `vector` does.

        Args:
            vector: The question's embedding, of the model's width.
            model_id: The embedding model that made it.
            document_ids: Where to look.
            limit: At most so many.
        """
        with self._lock:
            ids, matrix = self._matrix(model_id)
            ranges = self._ranges(document_ids)
        if not len(ids):
            return []
        scores = matrix @ _unit(vector)
        outside = np.ones(len(ids), np.bool_)
        for first, last in ranges:
            outside[np.searchsorted(ids, first) : np.searchsorted(ids, last, "right")] = False
        scores[outside] = -np.inf
        # Only the best few are put in order: sorting all would take longer than scoring them.
        few = min(limit, len(ids))
        best = np.argpartition(-scores, few - 1)[:few]
        best = best[np.lexsort((ids[best], -scores[best]))]
        return [
            Hit(chunk_id=int(ids[at]), score=float(scores[at]), rank=rank)
            for rank, at in enumerate(best, start=1)
            if np.isfinite(scores[at])
        ]

    def without_vector(self, document_id: str, model_id: str) -> list[tuple[int, str]]:
        """(chunk id, text) of the document's chunks that this model has not embedded yet."""
        sql = (
            "SELECT id, text FROM chunk WHERE id BETWEEN ? AND ? AND id NOT IN"
            " (SELECT chunk_id FROM vector WHERE model_id = ?) ORDER BY id"
        )
        with self._lock:
            return [
                row
                for bounds in self._ranges([document_id])
                for row in self._db.execute(sql, (*bounds, model_id))
            ]

    def add_vectors(
        self, model_id: str, chunk_ids: Sequence[int], vectors: NDArray[np.float32]
    ) -> None:
        """Keep embeddings: one row of `vectors` per chunk."""
        rows = [
            (chunk_id, model_id, _unit(vector).tobytes())
            for chunk_id, vector in zip(chunk_ids, vectors, strict=True)
        ]
        with self._lock, self._db:
            self._db.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?, ?)", rows)
            self._vectors.pop(model_id, None)

    def chunks(self, chunk_ids: Iterable[int]) -> dict[int, Chunk]:
        """The chunks themselves, by id."""
        sql = "SELECT document_id, page_number, start, end, text FROM chunk WHERE id = ?"
        found: dict[int, Chunk] = {}
        with self._lock:
            for chunk_id in chunk_ids:
                row = self._db.execute(sql, (chunk_id,)).fetchone()
                if row is not None:
                    document_id, page_number, start, end, text = row
                    found[chunk_id] = Chunk(
                        document_id=document_id,
                        page_number=page_number,
                        start=start,
                        end=end,
                        text=text,
                    )
        return found

    def _insert(self, chunk_id: int, chunk: Chunk, heading: str) -> None:
        self._db.execute(
            "INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?)",
            (
                chunk_id,
                chunk.document_id,
                chunk.page_number,
                chunk.start,
                chunk.end,
                chunk.text,
            ),
        )
        self._db.execute(
            "INSERT INTO chunk_words (rowid, heading, body) VALUES (?, ?, ?)",
            (chunk_id, searchable(heading), searchable(chunk.text)),
        )

    def _matrix(self, model_id: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """All vectors of a model, read once and kept until they change."""
        if model_id not in self._vectors:
            sql = "SELECT chunk_id, data FROM vector WHERE model_id = ? ORDER BY chunk_id"
            rows = self._db.execute(sql, (model_id,)).fetchall()
            ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
            data = b"".join(row[1] for row in rows)
            matrix = np.frombuffer(data, np.float32).reshape(len(rows), -1 if rows else 0)
            self._vectors[model_id] = ids, matrix
        return self._vectors[model_id]

    def _ranges(self, document_ids: Sequence[str]) -> list[tuple[int, int]]:
        """First and last chunk id of each of these documents that is indexed and has chunks."""
        sql = "SELECT first_id, last_id FROM indexed WHERE document_id = ? AND first_id <= last_id"
        return [row for one in document_ids for row in self._db.execute(sql, (one,)).fetchall()]


def _titles_by_page(document: Document) -> dict[int, str]:
    """The headings in force on each page: the one it begins under, and those that stand on it."""
    titles = {page.number: [page.heading] for page in document.pages}
    for entry in document.outline:
        titles.setdefault(entry.page_number, []).append(entry.title)
    return {number: "\n".join(dict.fromkeys(listed)) for number, listed in titles.items()}


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A vector of length one, so that a dot product is the cosine; zero stays zero."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, np.float32)
