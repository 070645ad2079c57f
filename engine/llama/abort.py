"""Stops a running `llama_decode` on the CPU, within one operation of the graph."""

from __future__ import annotations

import ctypes
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.llama.library import api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_S = 0.02


class AbortFlag:
    """One byte that llama.cpp looks at between the operations of a graph.

    ggml asks through a callback, some thousand times a second. A Python one would need the
    interpreter's lock each time and make every matrix product wait for whichever thread holds it.
    C's own `strlen` needs none: it takes the callback's pointer, and answers 0 ("go on") for an
    empty string and 1 ("stop") for one of length 1.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)
        library = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._callback = ctypes.cast(library.strlen, api().ggml_abort_callback)

    def install(self, context: int) -> None:
        """Have a context's graphs look at this flag. The flag must outlive the context."""
        address = ctypes.cast(self._text, ctypes.c_void_p)
        api().llama_set_abort_callback(context, self._callback, address)

    @contextmanager
    def watching(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Raise the flag once `cancelled` says so; it is down again afterwards."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_POLL_S):
                if cancelled():
                    self._text[0] = b"\1"
                    return

        watcher = threading.Thread(target=watch, name="cancel watch", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            self._text[0] = b"\0"
