"""A thread that is there while there is work, and gone a moment later."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_IDLE_S: Final = 0.5


class IdleWorker:
    """Runs work in the order in which it is submitted, on one daemon thread of its own.

    The thread ends when nothing came for half a second, so that a window at rest costs nothing
    and nobody has to remember to stop it.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._runs = False
        self._is_closed = False

    def submit(self, work: Callable[[], None]) -> None:
        """Run `work` soon; forgotten when the worker is closed."""
        with self._lock:
            if self._is_closed:
                return
            self._work.put(work)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="typeset", daemon=True).start()

    def close(self) -> None:
        """Forget what waits and take nothing more."""
        with self._lock:
            self._is_closed = True

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._work.empty() or self._is_closed:
                        self._runs = False
                        return
                continue
            if not self._is_closed:
                work()
