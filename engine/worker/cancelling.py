"""Which requests are to stop: raises the engine's flag while one of them is worked on."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.llama.abort import AbortFlag


class Cancelling:
    """Keeps the flag up while the request that is worked on is a cancelled one, and else down.

    Cancels come on one thread while another goes from request to request.
    """

    def __init__(self, flag: AbortFlag) -> None:
        self._flag = flag
        # Held so that the flag is never set by what was so a moment ago.
        self._lock = threading.Lock()
        self._cancelled: set[int] = set()
        self._all = False
        self._current: int | None = None

    def cancel(self, request_id: int) -> None:
        """Stop a request, be it worked on or still waiting; one that is over is not touched."""
        with self._lock:
            self._cancelled.add(request_id)
            self._update()

    def cancel_all(self) -> None:
        """Stop every request, also those that come later."""
        with self._lock:
            self._all = True
            self._update()

    @contextmanager
    def working_on(self, request_id: int) -> Iterator[None]:
        """Let cancels of this request act meanwhile, the one that came before as well."""
        with self._lock:
            self._current = request_id
            self._update()
        try:
            yield
        finally:
            with self._lock:
                self._cancelled.discard(request_id)
                self._current = None
                self._update()

    def _update(self) -> None:
        if self._all or self._current in self._cancelled:
            self._flag.set()
        else:
            self._flag.clear()
