"""Has pages drawn in a process of their own.

Whatever a file does to that process - hang, crash, eat memory - comes out as a page without a
picture, and the next page gets a new process.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

import msgspec

from engine.child_process import start
from engine.documents.messages import (
    DRAW_REPLY_DECODER,
    Drawing,
    DrawRequest,
    NotDrawn,
)
from engine.framing import FramingError, read_frame, write_frame
from engine.packing import packed

_TIMEOUT_S = 30.0
_PIPE_BYTES = 1024 * 1024


class PageDrawer:
    """Owns the drawing process, which is started when it is needed. Thread-safe; close when done.

    One page is drawn at a time: `draw` waits for its turn.
    """

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._turn = threading.Lock()
        self._change = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def draw(self, request: DrawRequest) -> Drawing | NotDrawn:
        """Draw a page; blocks until it is there."""
        with self._turn:
            # A process that left because it was idle is found out only by asking it.
            reply = self._asked(request, is_new=False) or self._asked(request, is_new=True)
        return reply or NotDrawn(reason="damaged")

    def close(self) -> None:
        """End the process, also in the middle of a page."""
        with self._change:
            self._closed = True
        self._end()

    def _asked(self, request: DrawRequest, *, is_new: bool) -> Drawing | NotDrawn | None:
        """The reply, or None when the process ended instead, or could not even be started."""
        process = self._process
        if is_new or process is None or process.poll() is not None:
            self._end()
            process = self._start()
        if process is None or process.stdin is None or process.stdout is None:
            return None
        clock = threading.Timer(self._timeout_s, process.kill)
        clock.start()
        try:
            write_frame(process.stdin, packed(request))
            body = read_frame(process.stdout)
            return DRAW_REPLY_DECODER.decode(body) if body is not None else None
        except (OSError, ValueError, FramingError, msgspec.DecodeError):
            return None
        finally:
            clock.cancel()
            clock.join()

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._change:
            if self._closed:
                return None
            # -P: a module in the current folder must not be imported in place of a library.
            command = [sys.executable, "-P", "-X", "utf8", "-m", "engine.documents.drawing"]
            try:
                self._process = start(command, stderr=subprocess.DEVNULL)
            except OSError:
                return None
            _widen(self._process.stdout)
            return self._process

    def _end(self) -> None:
        with self._change:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold much at once: a page is megabytes, and each read of some waits its turn."""
    if sys.platform == "linux" and pipe is not None:
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
