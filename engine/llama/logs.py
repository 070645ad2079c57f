"""llama.cpp's log, put together into lines.

The callback's text can be half a line, half a UTF-8 character, or (level 5) the continuation of
the line before. Each finished line goes to stderr as ``L text`` with L one of D, I, W, E, where
the client reads it; the last few stay here to explain an error. Debug lines, thousands in one load,
are dropped unless the environment variable `LEADLINE_DEBUG_LOG` is set.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import NamedTuple

_LETTERS = {1: "D", 2: "I", 3: "W", 4: "E"}
_CONTINUES = 5
_KEPT_LINES = 500
_MOST_COMPLAINTS = 8
_WITH_DEBUG = "LEADLINE_DEBUG_LOG"
_LONGEST_LINE = 8192


class LogLine(NamedTuple):
    """One line of llama.cpp's log; `level` is D, I, W or E."""

    level: str
    text: str


class LogSink:
    """Puts lines together. Fed from any native thread; each feed is atomic under the GIL's care.

    Owned by `engine.llama.library`, one per process.
    """

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._level = "I"
        self._pending = b""
        self._lines: deque[LogLine] = deque(maxlen=_KEPT_LINES)
        self._dropped = "" if os.environ.get(_WITH_DEBUG) else "D"

    def feed(self, level: int, text: bytes) -> None:
        """Take what the callback was given."""
        if level != _CONTINUES:
            letter = _LETTERS.get(level, "I")
            if self._pending and letter != self._level:
                self.flush()
            self._level = letter
        if self._level == self._dropped:
            return
        data = self._pending + text
        *whole, self._pending = data.split(b"\n")
        for line in whole:
            self._write(line)
        if len(self._pending) > _LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        """Write what has no line end yet."""
        pending, self._pending = self._pending, b""
        if pending:
            self._write(pending)

    def mark(self) -> None:
        """Forget the lines kept so far, so that `complaints` tells about what follows."""
        self.flush()
        self._lines.clear()

    def complaints(self) -> list[str]:
        """The last errors and warnings since the mark, oldest first; errors alone if any."""
        self.flush()
        for levels in ("E", "W"):
            found = [line.text for line in self._lines if line.level in levels]
            if found:
                return found[-_MOST_COMPLAINTS:]
        return []

    def lines(self) -> list[LogLine]:
        """All lines since the mark, at most the last 500."""
        return list(self._lines)

    def _write(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip()
        if not text:
            return
        self._lines.append(LogLine(self._level, text))
        # When the reader of stderr is gone, the log is not worth failing for.
        with suppress(OSError):
            os.write(self._descriptor, f"{self._level} {text}\n".encode())
