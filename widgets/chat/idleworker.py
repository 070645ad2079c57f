"""A thread that is there while there is work, and gone a moment later."""

from __future__ import annotations

import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_IDLE_S: Final = 0.5
_USUAL_SWITCH_S: Final = sys.getswitchinterval()
_SWITCH_S: Final = 0.0005
_LONGEST_REST_S: Final = 0.03


class IdleWorker:
    """Runs work in the order in which it is submitted, on one daemon thread of its own.

    The thread ends when nothing came for half a second, so that a window at rest costs nothing
    and nobody has to remember to stop it.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._runs = False
        self._is_closed = False

    def submit(self, work: Callable[[], object]) -> None:
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
        # The GUI thread asks for the interpreter many times in a frame. At Python's usual 5 ms it
        # would wait that long each time while this thread computes.
        sys.setswitchinterval(_SWITCH_S)
        try:
            self._work_off()
        finally:
            sys.setswitchinterval(_USUAL_SWITCH_S)

    def _work_off(self) -> None:
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
                started = time.monotonic()
                work()
                # At most half of the time is this thread's.
                time.sleep(min(_LONGEST_REST_S, time.monotonic() - started))
