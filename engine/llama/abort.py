"""Stops what an engine is doing: between two steps, and on the CPU in the middle of a decode."""

from __future__ import annotations

import ctypes
import sys

from engine.llama.library import api
from engine.llama.outcome import Cancelled


class AbortFlag:
    """One byte that llama.cpp looks at between the operations of a graph. One per engine.

    Any thread may raise it, at any time: it belongs to no context and outlives them all.

    ggml asks through a callback, some thousand times a second. A Python one would need the
    interpreter's lock each time and make every matrix product wait for whichever thread holds it.
    C's own `strlen` needs none: it takes the callback's pointer, and answers 0 ("go on") for an
    empty string and 1 ("stop") for one of length 1.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)

    def install(self, context: int) -> None:
        """Have a context's graphs look at this flag. The flag must outlive the context."""
        library = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        callback = ctypes.cast(library.strlen, api().ggml_abort_callback)
        address = ctypes.cast(self._text, ctypes.c_void_p)
        api().llama_set_abort_callback(context, callback, address)

    def set(self) -> None:
        """Stop what runs, and what is begun before `clear`."""
        self._text[0] = b"\1"

    def clear(self) -> None:
        """Let things run again."""
        self._text[0] = b"\0"

    def is_set(self) -> bool:
        """Whether everything is to stop."""
        return self._text[0] != b"\0"

    def check(self) -> None:
        """Stop here if asked to.

        Raises:
            Cancelled: The flag is up.
        """
        if self.is_set():
            raise Cancelled
