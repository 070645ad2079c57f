"""The search index: chunks of documents in SQLite with FTS5, and their vectors beside them.

One file serves the whole library. A document is indexed once, by its content hash; vectors are kept
per embedding model. Chunks of a document have neighbouring ids in the order of its pages, so that
some of its pages are a few ranges of ids.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from engine.documents.retrieval.chunks import Chunk, chunk_page
from engine.documents.retrieval.fuse import Hit
from engine.documents.retrieval.ranges import Inside, few
from engine.documents.retrieval.schema import SCHEMA, TABLES, VERSION
from engine.documents.retrieval.vectors import VectorCache, best_of, unit_of
from engine.documents.retrieval.words import match_expression, searchable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.documents.model import Document
    from engine.documents.retrieval.ranges import Range

# A word in the heading says more about a chunk than one in its text.
_HEADING_WEIGHT = 2.0

Pages: TypeAlias = "Mapping[str, Sequence[int]]"


class DocumentIndex:
    """Owns the connection. Thread-safe: calls wait for one another. Close when done.

    Wherever it is asked about documents, `pages` may name the pages that count, by document; a
    document that it does not name counts with all of them.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the index at `path`, or one in memory.

        Raises:
            sqlite3.Error: The file is damaged, or cannot be used.
        """
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            str(path or ":memory:"), isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise
        self._vectors = VectorCache()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        # A document that was deleted must not be left readable in the file.
        self._db.execute("PRAGMA secure_delete = ON")
        # After a power cut the newest entries may be gone; they are made again.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if self._db.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
            # Everything here can be made again from the documents.
            for table in TABLES:
                self._db.execute(f"DROP TABLE IF EXISTS {table}")
        self._db.executescript(SCHEMA)
        self._db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # ---- documents

    def add(self, document: Document) -> int:
        """Index a document unless it is already; return how many chunks it has."""
        characters = sum(len(page.text) for page in document.pages)
        with self._lock:
            known = self._size(document.id, characters)
        # Nearly always it is, and then nothing is written: what is kept in memory stays true.
        if known is not None:
            return known
        with self._writing():
            known = self._size(document.id, characters)
            if known is not None:
                return known
            # Its text was read in another way before.
            self._forget(document.id)
            first = self._db.execute("SELECT coalesce(max(last_id), 0) FROM indexed").fetchone()[0]
            titles = _titles_by_page(document)
            chunk_id = first
            for page in document.pages:
                for chunk in chunk_page(document.id, page):
                    chunk_id += 1
                    self._insert(chunk_id, chunk, titles[page.number])
            self._db.execute(
                "INSERT INTO indexed VALUES (?, ?, ?, ?)",
                (document.id, characters, first + 1, chunk_id),
            )
            return int(chunk_id - first)

    def remove(self, document_id: str) -> None:
        """Forget a document."""
        with self._writing():
            self._forget(document_id)

    def count(self, document_id: str, pages: Pages | None = None) -> int:
        """How many chunks there are of a document."""
        with self._lock:
            return sum(last - first + 1 for first, last in self._ranges([document_id], pages))

    # ---- searching

    def search_words(
        self,
        question: str,
        document_ids: Sequence[str],
        limit: int = 50,
        *,
        pages: Pages | None = None,
    ) -> list[Hit]:
        """The chunks of these documents that share words with the question, best first (BM25)."""
        expression = match_expression(question)
        with self._lock:
            ranges = self._ranges(document_ids, pages)
            if not expression or not ranges:
                return []
            asked = few(ranges)
            within = " OR ".join("rowid BETWEEN ? AND ?" for _ in asked)
            sql = (
                "SELECT rowid, rank FROM chunk_words WHERE chunk_words MATCH ?"
                f" AND rank MATCH 'bm25({_HEADING_WEIGHT}, 1.0)' AND ({within})"
                " ORDER BY rank LIMIT ?"
            )
            bounds = [bound for pair in asked for bound in pair]
            most = limit if asked == ranges else -1
            rows = self._db.execute(sql, (expression, *bounds, most)).fetchall()
        if asked != ranges:
            inside = Inside(ranges)
            rows = [row for row in rows if row[0] in inside][:limit]
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
        *,
        pages: Pages | None = None,
    ) -> list[Hit]:
        """The chunks of these documents whose vectors point most nearly where `vector` does.

        Args:
            vector: The question's embedding, of the model's width.
            model_id: The embedding model that made it.
            document_ids: Where to look; a document without all of its vectors gives none.
            limit: At most so many.
            pages: Pages that count.
        """
        unit = unit_of(vector)
        ids: list[NDArray[np.int64]] = []
        scores: list[NDArray[np.float32]] = []
        with self._lock:
            for document_id in document_ids:
                matrix, first = self._matrix(document_id, model_id)
                for start, end in self._ranges([document_id], pages) if len(matrix) else ():
                    ids.append(np.arange(start, end + 1))
                    scores.append(matrix[start - first : end + 1 - first] @ unit)
        return best_of(np.concatenate(ids), np.concatenate(scores), limit) if ids else []

    # ---- vectors

    def embedded(self, document_id: str, model_id: str) -> int:
        """How many chunks of a document have a vector of this model."""
        sql = "SELECT count(*) FROM vector WHERE model_id = ? AND chunk_id BETWEEN ? AND ?"
        with self._lock:
            self._note_version()
            for bounds in self._ranges([document_id]):
                # Counting reads all vectors from the disk; what is in memory is counted already.
                kept = self._vectors.get((model_id, bounds))
                if kept is not None and len(kept):
                    return len(kept)
                return int(self._db.execute(sql, (model_id, *bounds)).fetchone()[0])
            return 0

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
        self,
        document_id: str,
        model_id: str,
        chunk_ids: Sequence[int],
        vectors: NDArray[np.float32],
        shortened: Sequence[int] = (),
    ) -> None:
        """Keep embeddings: one row of `vectors` per chunk of a document.

        What is no chunk of it any more is left out: it may have been removed meanwhile.

        Args:
            document_id: Whose chunks they are.
            model_id: What embedded them.
            chunk_ids: The chunks.
            vectors: A row for each.
            shortened: Places of the chunks of which the model read the beginning only.
        """
        rows = [
            (model_id, unit_of(vector).tobytes(), chunk_id, document_id)
            for chunk_id, vector in zip(chunk_ids, vectors, strict=True)
        ]
        sql = (
            "INSERT OR REPLACE INTO vector (chunk_id, model_id, data)"
            " SELECT id, ?, ? FROM chunk WHERE id = ? AND document_id = ?"
        )
        cut = [(model_id, chunk_ids[at], document_id) for at in shortened]
        note = (
            "INSERT OR REPLACE INTO shortened (chunk_id, model_id)"
            " SELECT id, ? FROM chunk WHERE id = ? AND document_id = ?"
        )
        with self._writing():
            self._db.executemany(sql, rows)
            self._db.executemany(note, cut)

    def shortened(self, document_id: str, model_id: str) -> int:
        """Of how many chunks of a document this model read the beginning only."""
        sql = "SELECT count(*) FROM shortened WHERE model_id = ? AND chunk_id BETWEEN ? AND ?"
        with self._lock:
            return sum(
                int(self._db.execute(sql, (model_id, *bounds)).fetchone()[0])
                for bounds in self._ranges([document_id])
            )

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

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction. Another process may use the file: what is decided on is read inside."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
            self._vectors.clear()

    def _size(self, document_id: str, characters: int) -> int | None:
        """How many chunks a document has; None where it is not indexed with this much text."""
        sql = "SELECT last_id - first_id + 1 FROM indexed WHERE document_id = ? AND characters = ?"
        found = self._db.execute(sql, (document_id, characters)).fetchone()
        return int(found[0]) if found else None

    def _forget(self, document_id: str) -> None:
        for bounds in self._ranges([document_id]):
            self._db.execute("DELETE FROM chunk_words WHERE rowid BETWEEN ? AND ?", bounds)
            self._db.execute("DELETE FROM vector WHERE chunk_id BETWEEN ? AND ?", bounds)
            self._db.execute("DELETE FROM shortened WHERE chunk_id BETWEEN ? AND ?", bounds)
            self._db.execute("DELETE FROM chunk WHERE id BETWEEN ? AND ?", bounds)
        self._db.execute("DELETE FROM indexed WHERE document_id = ?", (document_id,))

    def _matrix(self, document_id: str, model_id: str) -> tuple[NDArray[np.float32], int]:
        """All vectors of a document and its first chunk's id; no rows unless all are there."""
        bounds = next(iter(self._ranges([document_id])), None)
        if bounds is None:
            return np.empty((0, 0), np.float32), 0
        self._note_version()
        key = (model_id, bounds)
        kept = self._vectors.get(key)
        if kept is None:
            sql = (
                "SELECT data FROM vector WHERE model_id = ? AND chunk_id BETWEEN ? AND ?"
                " ORDER BY chunk_id"
            )
            rows = self._db.execute(sql, (model_id, *bounds)).fetchall()
            kept = np.empty((0, 0), np.float32)
            if len(rows) == bounds[1] - bounds[0] + 1:
                data = b"".join(row[0] for row in rows)
                if len({len(row[0]) for row in rows}) != 1 or len(data) % (4 * len(rows)):
                    error = sqlite3.DatabaseError("a vector has another length than the others")
                    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                    raise error
                kept = np.frombuffer(data, np.float32).reshape(len(rows), -1)
            self._vectors.put(key, kept)
        return kept, bounds[0]

    def _note_version(self) -> None:
        # What another process wrote since makes all that is kept doubtful.
        self._vectors.note(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _ranges(self, document_ids: Sequence[str], pages: Pages | None = None) -> list[Range]:
        """Ranges of the ids of these documents' chunks; nothing of one that is not indexed."""
        sql = "SELECT first_id, last_id FROM indexed WHERE document_id = ? AND first_id <= last_id"
        found: list[Range] = []
        for document_id in document_ids:
            for bounds in self._db.execute(sql, (document_id,)).fetchall():
                if pages is None or document_id not in pages:
                    found.append(bounds)
                else:
                    found.extend(self._ranges_of_pages(bounds, pages[document_id]))
        return found

    def _ranges_of_pages(self, bounds: Range, pages: Sequence[int]) -> list[Range]:
        wanted = set(pages)
        sql = (
            "SELECT page_number, min(id), max(id) FROM chunk WHERE id BETWEEN ? AND ?"
            " GROUP BY page_number ORDER BY 2"
        )
        found: list[Range] = []
        for page_number, first, last in self._db.execute(sql, bounds):
            if page_number not in wanted:
                continue
            if found and found[-1][1] == first - 1:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
        return found


def _titles_by_page(document: Document) -> dict[int, str]:
    """The headings in force on each page: the one it begins under, and those that stand on it."""
    titles = {page.number: [page.heading] for page in document.pages}
    for entry in document.outline:
        titles.setdefault(entry.page_number, []).append(entry.title)
    return {number: "\n".join(dict.fromkeys(listed)) for number, listed in titles.items()}
