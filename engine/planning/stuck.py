"""Notices a planner that waits for a node which does not answer."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from engine.remote.lost import nodes_among, silent_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

SILENCE_S = 5.0
_LOOK_S = 0.5


class StuckWatch:
    """Greets the nodes of what is asked where no answer comes. Thread-safe.

    A planner does one thing after the other: what it waits for may be of an older question, whose
    nodes the newest one does not have.

    Args:
        on_stuck: Called once, on the watch's thread, with the nodes that do not answer.
    """

    def __init__(self, on_stuck: Callable[[tuple[str, ...]], None]) -> None:
        self._on_stuck = on_stuck
        self._lock = threading.Lock()
        self._nodes: tuple[str, ...] = ()
        self._since_s: float | None = None
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="planner-watch", daemon=True).start()

    def ask(self, devices: tuple[str, ...]) -> None:
        """Something is asked about devices, as they are in the settings."""
        with self._lock:
            if self._since_s is None:
                self._nodes, self._since_s = (), time.monotonic()
            self._nodes = nodes_among((*self._nodes, *devices))

    def hear(self, *, is_idle: bool) -> None:
        """An answer came; whether it was the last one that is waited for."""
        with self._lock:
            self._since_s = None if is_idle else time.monotonic()

    def close(self) -> None:
        """Stop watching."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            with self._lock:
                since_s, nodes = self._since_s, self._nodes
            if since_s is None or not nodes or time.monotonic() - since_s < SILENCE_S:
                continue
            silent = silent_nodes(nodes)
            with self._lock:
                if self._since_s != since_s:
                    continue
                # All that answer have time until the next look.
                self._since_s = time.monotonic()
            if silent and not self._over.is_set():
                self._on_stuck(silent)
                return
