"""The one thread that writes the chat database.

Tasks run in the order they were submitted, each in a transaction of its own. Replies that are
being written are gathered here and saved a few times a second.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from app.store.database import suspect
from app.store.faults import is_damage, sentence_for
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)
T = TypeVar("T")

GATHER_S = 0.4
_RETRY_S = 1.0


class Gathered(Protocol):
    """Something that grows in memory and is saved now and then."""

    @property
    def is_final(self) -> bool:
        """Whether it will not grow any more and should be saved at once."""

    def save(self, connection: sqlite3.Connection) -> None:
        """Write its present state; called inside a transaction."""

    def saved(self) -> None:
        """The state written last is committed."""

    def failed(self, error: Exception) -> None:
        """It cannot be saved, because of a bug and not for a reason that may pass."""


class Writer:
    """Owns the writing connection and its thread.

    Any thread may submit. A task's future is completed on the writer's thread after the commit, or
    gets the `UserError`. `on_problem` is called on the writer's thread for every failed write; of
    several in a row with the same cause only the first is told.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, on_problem: Callable[[Problem], None]
    ) -> None:
        self._connection = connection
        self._path = path
        self._on_problem = on_problem
        self._told_code = ""
        self._wake = threading.Condition()
        self._tasks: deque[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = deque()
        self._dirty: dict[Gathered, None] = {}
        self._due_s = float("inf")
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="chat-writer", daemon=True)
        self._thread.start()

    def submit(self, task: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a task in a transaction of its own."""
        future: Future[T] = Future()
        with self._wake:
            if self._closing:
                raise RuntimeError("the store is closed")
            self._tasks.append((task, future))
            self._wake.notify()
        return future

    def gather(self, growing: Gathered) -> None:
        """Save it soon: at once when it is final, else within `GATHER_S`."""
        with self._wake:
            if self._closing:
                raise RuntimeError("the store is closed")
            self._dirty[growing] = None
            due_s = time.monotonic() + (0.0 if growing.is_final else GATHER_S)
            if due_s < self._due_s:
                self._due_s = due_s
                self._wake.notify()

    def close(self) -> None:
        """Save everything and end the thread.

        Raises:
            UserError: ``stores.not_saved`` when a reply could not be saved to the end.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        if self._dirty:
            raise UserError("stores.not_saved", count=len(self._dirty), path=str(self._path))

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._run_tasks()
                if time.monotonic() >= self._due_s:
                    self._save_gathered()
            self._run_tasks()
            self._save_gathered()
            self._leave_tidy()
        finally:
            self._connection.close()

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not (self._closing or self._tasks):
                left_s = self._due_s - time.monotonic()
                if left_s <= 0:
                    return True
                self._wake.wait(None if left_s == float("inf") else left_s)
            return not self._closing

    def _run_tasks(self) -> None:
        while True:
            with self._wake:
                if not self._tasks:
                    return
                task, future = self._tasks.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = self._in_transaction(task)
            except Exception as error:  # noqa: BLE001 (the future carries it, also when it is a bug)
                if isinstance(error, UserError):
                    self._tell(error.problem)
                else:
                    _log.exception("a write failed")
                future.set_exception(error)
            else:
                future.set_result(result)

    def _save_gathered(self) -> None:
        with self._wake:
            dirty, self._dirty = self._dirty, {}
            self._due_s = float("inf")
        for growing in dirty:
            try:
                self._in_transaction(growing.save)
            except UserError as error:
                self._tell(error.problem)
                with self._wake:
                    self._dirty[growing] = None
                    self._due_s = time.monotonic() + _RETRY_S
            except Exception as error:  # noqa: BLE001 (one bad reply must not end the thread)
                _log.exception("a reply could not be saved")
                growing.failed(error)
            else:
                growing.saved()

    def _in_transaction(self, task: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = task(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if is_damage(error):
                suspect(self._path)
            raise sentence_for(error, self._path) or error from error
        self._told_code = ""
        return result

    def _tell(self, problem: Problem) -> None:
        if problem.code != self._told_code:
            self._told_code = problem.code
            self._on_problem(problem)

    def _leave_tidy(self) -> None:
        try:
            self._connection.execute("PRAGMA optimize")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            # Nothing is lost: the next opening takes up the write-ahead log.
            fault = sentence_for(error, self._path)
            if fault is not None:
                self._tell(fault.problem)
