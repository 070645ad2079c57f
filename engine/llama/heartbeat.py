"""Signs of life while one long call runs, for whoever would take silence for a hang."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BEAT_S = 0.5


@contextmanager
def heartbeat(tell: Callable[[], object]) -> Iterator[None]:
    """Call `tell` now and then from a thread of its own, for as long as the block takes."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_BEAT_S):
            tell()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
