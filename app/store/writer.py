"""The one thread that writes the chat database.

Tasks run in the order they were submitted, each in a transaction of its own. Replies that are
being written are gathered here and saved a few times a second. What holds somebody's words is tried
again until there is room for it, before anything that may build on it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

from app.store.database import suspect
from app.store.faults import is_damage, sentence_for
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)
T = TypeVar("T")
Task: TypeAlias = "Callable[[sqlite3.Connection], Any]"
Holds: TypeAlias = Literal["nothing", "place", "words"]
"""What is lost with a write that fails: nothing that cannot be done again, a place for words, such
as a new chat, or somebody's words."""

GATHER_S = 0.4
_RETRY_S = 1.0


class Gathered(Protocol):
    """Something that grows in memory and is saved now and then."""

    @property
    def is_final(self) -> bool:
        """Whether it will not grow any more and should be saved at once."""

    @property
    def text(self) -> str:
        """The words so far."""

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
        self._tasks: deque[tuple[Task, Future[Any], Holds, str]] = deque()
        # What found no room, oldest first; only the thread changes it while it runs.
        self._put_off: deque[tuple[Task, Holds, str]] = deque()
        self._dirty: dict[Gathered, None] = {}
        # Those of them that found no room.
        self._refused: dict[Gathered, None] = {}
        self._due_s = float("inf")
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="chat-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        task: Callable[[sqlite3.Connection], T],
        *,
        holds: Holds = "nothing",
        words: str = "",
    ) -> Future[T]:
        """Run a task in a transaction of its own.

        Args:
            task: What to do.
            holds: Where a full disk or the like makes it fail, the future says so; unless it holds
                nothing, it is tried again until it works.
            words: Those that it holds, for `unsaved`.
        """
        future: Future[T] = Future()
        with self._wake:
            if self._closing:
                raise RuntimeError("the store is closed")
            self._tasks.append((task, future, holds, words))
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

    def unsaved(self) -> tuple[str, ...]:
        """Words that could not be saved so far, oldest first. Any thread."""
        with self._wake:
            put_off = [words for _, holds, words in self._put_off if holds == "words"]
            return (*put_off, *(growing.text for growing in self._refused))

    def close(self) -> None:
        """Save everything and end the thread.

        Raises:
            UserError: ``stores.not_saved`` when words could not be saved.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        unsaved = len(self._dirty) + sum(holds == "words" for _, holds, _ in self._put_off)
        if unsaved:
            raise UserError("stores.not_saved", count=unsaved, path=str(self._path))

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
                task, future, holds, words = self._tasks.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = self._after_catching_up(task, holds)
            except Exception as error:  # noqa: BLE001 (the future carries it, also when it is a bug)
                if isinstance(error, UserError):
                    if holds != "nothing":
                        with self._wake:
                            self._put_off.append((task, holds, words))
                    self._try_later(error)
                else:
                    _log.exception("a write failed")
                future.set_exception(error)
            else:
                future.set_result(result)

    def _after_catching_up(self, task: Callable[[sqlite3.Connection], T], holds: Holds) -> T:
        fault = None
        try:
            self._catch_up()
        except UserError as error:
            if holds != "nothing":
                raise
            fault = error
        try:
            return self._in_transaction(task)
        except UserError:
            raise
        except Exception as error:
            # What it is about may not be there yet.
            raise fault or error from error

    def _catch_up(self) -> None:
        """Do what found no room; raises why there is still none."""
        while self._put_off:
            try:
                self._in_transaction(self._put_off[0][0])
            except UserError:
                raise
            except Exception:  # noqa: BLE001 (what comes after it must not wait for ever)
                _log.exception("a write that was put off failed")
            with self._wake:
                self._put_off.popleft()

    def _try_later(self, error: UserError) -> None:
        self._tell(error.problem)
        if self._put_off or self._dirty:
            with self._wake:
                self._due_s = min(self._due_s, time.monotonic() + _RETRY_S)

    def _save_gathered(self) -> None:
        with self._wake:
            dirty, self._dirty = self._dirty, {}
            self._due_s = float("inf")
        try:
            self._catch_up()
        except UserError as error:
            with self._wake:
                self._dirty = {**dirty, **self._dirty}
                self._refused.update(dirty)
            self._try_later(error)
            return
        for growing in dirty:
            try:
                self._in_transaction(growing.save)
            except UserError as error:
                with self._wake:
                    self._dirty[growing] = None
                    self._refused[growing] = None
                self._try_later(error)
            except Exception as error:  # noqa: BLE001 (one bad reply must not end the thread)
                _log.exception("a reply could not be saved")
                self._found_room(growing)
                growing.failed(error)
            else:
                self._found_room(growing)
                growing.saved()

    def _found_room(self, growing: Gathered) -> None:
        with self._wake:
            self._refused.pop(growing, None)

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
