"""A monotonic clock that also says when the next report is due."""

from __future__ import annotations

import time


class Stopwatch:
    """Counts from its making; `due` answers True at most once per interval."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def due(self, interval_s: float) -> bool:
        """Whether the interval has passed since it was last due; the first call always is."""
        now = time.monotonic()
        if now - self._last < interval_s:
            return False
        self._last = now
        return True
