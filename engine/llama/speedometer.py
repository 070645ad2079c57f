"""Tokens per second over the last moment, and when the screen wants to hear of new text."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 1.0
_MESSAGE_S = 1 / 60
# Where the processor that shows the text also computes it, each message keeps all of llama.cpp's
# threads waiting for the one that it displaced. On two cores this is 2 % of the speed.
_MESSAGE_CPU_S = 1 / 30


class Speedometer:
    """Remembers when tokens came, at the grain of messages."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def note(self, now: float, tokens: int) -> None:
        """So many tokens in all had come by now."""
        points = self._points
        points.append((now, tokens))
        while len(points) > 2 and points[1][0] <= now - _WINDOW_S:
            points.popleft()

    def tokens_per_second(self) -> float | None:
        """Over the last second or so; None before the second token."""
        if len(self._points) < 2:
            return None
        (began, first), (now, last) = self._points[0], self._points[-1]
        return (last - first) / (now - began) if now > began and last > first else None


class Beat:
    """Says at most sixty times a second that it is time, half as often on the CPU.

    The first time is at once.
    """

    def __init__(self, *, on_cpu: bool) -> None:
        self._seconds = _MESSAGE_CPU_S if on_cpu else _MESSAGE_S
        self._next = 0.0

    def due(self, now: float) -> bool:
        """Whether to send now."""
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
