"""A reply that is being written: gathered in memory, saved a few times a second."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from app.store.rows import Json, MessageState
    from app.store.writer import Gathered
    from engine.errors import Problem


class ReplyStream:
    """The growing text of one message.

    Any thread may append. The writer saves it at most `GATHER_S` after a change; `finish` saves
    the rest at once. While saving fails, the text stays here and is tried again.
    """

    def __init__(
        self,
        message_id: int,
        gather: Callable[[Gathered], None],
        *,
        text: str = "",
        thinking: str = "",
    ) -> None:
        """Begin with what is there already, when a stopped reply is continued."""
        self.message_id = message_id
        self._gather = gather
        self._lock = threading.Lock()
        self._text = [text]
        self._thinking = [thinking]
        self._state: MessageState = "streaming"
        self._stats: Json | None = None
        self._problem: Problem | None = None
        self._finished: Future[None] | None = None
        self._end_in_save = False

    @property
    def is_final(self) -> bool:
        """Whether `finish` was called."""
        return self._finished is not None

    @property
    def text(self) -> str:
        """All text so far."""
        with self._lock:
            return "".join(self._text)

    def append(self, text: str = "", *, thinking: str = "") -> None:
        """Add to the text, or to the thinking."""
        with self._lock:
            self._check_open()
            if text:
                self._text.append(text)
            if thinking:
                self._thinking.append(thinking)
        self._gather(self)

    def replace(self, text: str, *, thinking: str = "") -> None:
        """Set both anew: what was taken for text may turn out to be thinking."""
        with self._lock:
            self._check_open()
            self._text, self._thinking = [text], [thinking]
        self._gather(self)

    def finish(
        self,
        state: MessageState = "complete",
        *,
        stats: Json | None = None,
        problem: Problem | None = None,
    ) -> Future[None]:
        """End it. The future is completed once all of it is saved."""
        if state == "streaming":
            raise ValueError("a finished reply is not streaming")
        finished: Future[None] = Future()
        with self._lock:
            self._check_open()
            self._state, self._stats, self._problem = state, stats, problem
            self._finished = finished
        self._gather(self)
        return finished

    def save(self, connection: sqlite3.Connection) -> None:
        """Write the present state; called by the writer."""
        with self._lock:
            # Joined once, so that the next join is short.
            self._text, self._thinking = ["".join(self._text)], ["".join(self._thinking)]
            self._end_in_save = self.is_final
            values = (
                self._text[0],
                self._thinking[0],
                self._state,
                _json(self._stats),
                _json(self._problem),
                self.message_id,
            )
        query = (
            "UPDATE messages SET text = ?, thinking = ?, state = ?, stats = ?, problem = ?"
            " WHERE id = ?"
        )
        if connection.execute(query, values).rowcount != 1:
            raise LookupError(f"there is no message {self.message_id} to write into")

    def saved(self) -> None:
        """Tell who waits for the end; called by the writer."""
        # It may have been finished after the state that was saved. Finished just before that, the
        # end is saved twice: once with what was gathered before, and once for itself.
        if self._end_in_save and self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def failed(self, error: Exception) -> None:
        """Tell who waits for the end that it will not come; called by the writer."""
        if self._end_in_save and self._finished is not None and not self._finished.done():
            self._finished.set_exception(error)

    def _check_open(self) -> None:
        if self._finished is not None:
            raise ValueError("this reply is finished")


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
