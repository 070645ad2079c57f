"""What the measuring scripts share: a line of output, a home of their own, the machine's load."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Iterator


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def offscreen() -> Iterator[QApplication]:
    """An application without a display whose chats and settings are thrown away at the end."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as home:
        os.environ["LEADLINE_HOME"] = home
        yield QApplication([])


def load_average() -> list[float]:
    """Of the last 1, 5 and 15 minutes."""
    return [round(one, 1) for one in os.getloadavg()]


class Heart:
    """Beats on the main thread and notes how late each beat came.

    Attributes:
        late_ms: By the clock on the wall, which other programs disturb.
        busy_ms: Processor time that the main thread took since the beat before, which they do not.
    """

    def __init__(self, beat_ms: int = 5) -> None:
        self._beat_ms = beat_ms
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self.begin()
        self._timer.start(beat_ms)

    def begin(self) -> None:
        """Forget what was noted."""
        self.late_ms: list[float] = []
        self.busy_ms: list[float] = []
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()

    def result(self) -> dict[str, float]:
        """Milliseconds: the worst and the 99th of 100 of both."""
        late, busy = sorted(self.late_ms), sorted(self.busy_ms)
        at = int(len(late) * 0.99)
        return {
            "beats": len(late),
            "late_worst_ms": round(late[-1], 1),
            "late_p99_ms": round(late[at], 1),
            "busy_worst_ms": round(busy[-1], 1),
            "busy_p99_ms": round(busy[at], 1),
        }

    def _beat(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        self.late_ms.append((wall - self._wall) * 1e3 - self._beat_ms)
        self.busy_ms.append((cpu - self._cpu) * 1e3)
        self._wall, self._cpu = wall, cpu
