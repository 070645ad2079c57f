"""The search index as the app uses it: a file that may be damaged, full or read-only.

Nothing in it is the only copy of anything, so it is never a reason to fail: a damaged file is moved
aside and made anew, and where no file can be used the index is kept in memory.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, TypeVar

from app.store.database import move_aside
from app.store.faults import is_damage
from engine.errors import Problem
from engine.paths import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.documents.retrieval.index import DocumentIndex

T = TypeVar("T")

FILE_NAME = "passages.sqlite3"
_ATTEMPTS = 3


class PassageIndex:
    """Owns the index. Thread-safe. Close when done.

    Args:
        path: The file; by default in the cache folder, made when needed.
        on_problem: Told, on the calling thread, that the index had to be made anew.
    """

    def __init__(self, path: Path | None, on_problem: Callable[[Problem], None]) -> None:
        self._path = path
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._index: DocumentIndex | None = None
        self._is_in_memory = False

    def use(self, work: Callable[[DocumentIndex], T]) -> T:
        """Do something with the index; done again with a new one where the old one is of no use."""
        for attempt in range(1, _ATTEMPTS + 1):
            index: DocumentIndex | None = None
            try:
                index = self._opened()
                return work(index)
            except sqlite3.Error as error:
                if attempt == _ATTEMPTS:
                    raise
                self._replace(index, error)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the index."""
        with self._lock:
            self._close()

    def _opened(self) -> DocumentIndex:
        with self._lock:
            if self._index is None:
                # Loads numpy, which the first window does without.
                from engine.documents.retrieval.index import DocumentIndex

                self._index = DocumentIndex(None if self._is_in_memory else self._file())
            return self._index

    def _file(self) -> Path:
        return self._path or cache_dir() / FILE_NAME

    def _replace(self, used: DocumentIndex | None, error: sqlite3.Error) -> None:
        problem: Problem | None = None
        with self._lock:
            if self._index is used:
                self._close()
                problem = self._way_out(error)
            # Otherwise another thread met the same before, and there is a new one already.
        if problem is not None:
            self._on_problem(problem)

    def _way_out(self, error: sqlite3.Error) -> Problem:
        path = self._file()
        if is_damage(error) and not self._is_in_memory:
            try:
                kept = move_aside(path)
                return Problem(
                    code="stores.passages_damaged", params={"path": str(kept)}, detail=str(error)
                )
            except OSError as fault:
                error.add_note(str(fault))
        self._is_in_memory = True
        return Problem(
            code="stores.passages_in_memory", params={"path": str(path)}, detail=str(error)
        )

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
