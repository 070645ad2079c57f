"""Opening the chat database: lock, damage, migration, and connections for reading.

Writing goes through `app.store.writer` alone.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from app.store.faults import is_damage, sentence_for, sentence_for_system
from app.store.schema import MIGRATIONS, migrate
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.store.early_check import EarlyCheck

_SIDE_FILES = ("", "-wal", "-shm")
# A full check reads the whole file; below this size that is not noticed.
_SMALL_BYTES = 32 * 1024**2


def open_database(
    path: Path, early: EarlyCheck | None = None
) -> tuple[sqlite3.Connection, tuple[Problem, ...]]:
    """The connection for writing, and what the user should know about how it was opened.

    A damaged file is moved aside, never overwritten, and a new one is begun.

    Args:
        path: The file.
        early: Has begun to look it through.

    Raises:
        UserError: ``stores.newer``, ``stores.read_only``, ``stores.disk_full`` …
    """
    # Also where it will not count: a file that is read cannot be moved aside on every system.
    is_sound = early is not None and early.is_sound()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _opened(path, is_sound=is_sound), ()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise sentence_for(error, path) or error from error
        moved = move_aside(path)
        problem = Problem(
            code="stores.damaged", params={"path": str(moved)}, detail=f"{path}: {error}"
        )
        return _opened(path), (problem,)
    except OSError as error:
        raise sentence_for_system(error, path) from error


def suspect(path: Path) -> None:
    """Note that damage was met, so that the next opening checks the file however large it is."""
    with contextlib.suppress(OSError):
        _mark_of(path).touch()


def move_aside(path: Path) -> Path:
    """Rename a database with its side files; where it is now. No file is ever overwritten."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"{path.stem}.damaged-{stamp}.{number}{path.suffix}" for number in itertools.count(1))
    moved = next(free for free in map(path.with_name, names) if not free.exists())
    for side in _SIDE_FILES:
        source = path.with_name(path.name + side)
        if source.exists():
            source.rename(moved.with_name(moved.name + side))
    _mark_of(path).unlink(missing_ok=True)
    return moved


def _opened(path: Path, *, is_sound: bool = False) -> sqlite3.Connection:
    # The writer's thread uses it; this one only opens it.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        _prepare(connection, path, is_sound=is_sound)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, is_sound: bool) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise UserError("stores.newer", path=str(path), version=version)
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit is in the system's hands at once, so that it survives a killed process; only a
    # power cut can take the newest ones, and none can damage the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What was deleted for good must not be left readable in the file.
    connection.execute("PRAGMA secure_delete = ON")
    if wants_check(path):
        if not is_sound:
            _check(connection)
        _mark_of(path).unlink(missing_ok=True)
    if 0 < version < len(MIGRATIONS):
        _back_up(connection, path, version)
    migrate(connection)


def _check(connection: sqlite3.Connection) -> None:
    if found := damage_in(connection):
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def wants_check(path: Path) -> bool:
    """Whether a file is to be looked through before it is used.

    Raises:
        OSError: It is not there.
    """
    return _mark_of(path).exists() or path.stat().st_size <= _SMALL_BYTES


def damage_in(connection: sqlite3.Connection) -> str:
    """The first damage that is found; empty where all is in order. Reads the whole file.

    Raises:
        sqlite3.Error: It is too damaged to be looked through, or no database.
    """
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return "" if found == "ok" else found


def address_to_read(path: Path) -> str:
    """What `sqlite3.connect` takes to open a file for reading alone."""
    return f"file:{quote(str(path))}?mode=ro"


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    with contextlib.closing(sqlite3.connect(path.with_suffix(f".v{version}.backup"))) as copy:
        connection.backup(copy)


def _mark_of(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")


class Readers:
    """Read-only connections, lent to one thread at a time and kept for the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextlib.contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """A connection within one read transaction: all reads see the same state.

        Raises:
            UserError: ``stores.damage_found`` and the like.
        """
        try:
            connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            if is_damage(error):
                suspect(self._path)
            raise sentence_for(error, self._path) or error from error
        self._give_back(connection)

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise RuntimeError("the store is closed")
            if self._idle:
                return self._idle.pop()
        connection = sqlite3.connect(
            address_to_read(self._path),
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=5.0,
        )
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
