"""Ids: microseconds since the epoch, made unique and always growing."""

from __future__ import annotations

import threading
import time


class IdClock:
    """Gives ids that sort by creation. Any thread may ask; one per open database."""

    def __init__(self, newest: int) -> None:
        self._lock = threading.Lock()
        self._last = newest

    def next(self) -> int:
        """A new id, greater than all before it, also when the system's clock is set back."""
        with self._lock:
            self._last = max(self._last + 1, now_us())
            return self._last


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def seconds(microseconds: int) -> float:
    """A stored time as seconds since the epoch."""
    return microseconds / 1_000_000


def microseconds(at_s: float) -> int:
    """Seconds since the epoch as a stored time."""
    return round(at_s * 1_000_000)
