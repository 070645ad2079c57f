"""The child's end of a process that the engine starts: its stdio, its owner, its end.

It imports little: some processes bound their memory before they import more.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, BinaryIO, NoReturn, TypeVar

import msgspec

from engine.framing import FramingError, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


def run_main(run: Callable[[BinaryIO, BinaryIO], None]) -> NoReturn:
    """Do the work of a process that stops when its owner wants it to, then end the process.

    Args:
        run: The work; gets the stream to read from and the one to write to.
    """
    # Ctrl-C in a terminal reaches the whole group; the owner decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(sys.stdin.buffer, claim_stdout())
    sys.stderr.flush()
    # Not a plain return: the reader thread sits in a read that the interpreter would wait for.
    os._exit(0)


def claim_stdout() -> BinaryIO:
    """Keep file descriptor 1 for frames alone: what libraries and C code print goes to stderr."""
    protocol_fd = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(protocol_fd, "wb", buffering=0)


def owner_messages(source: BinaryIO, decode: Callable[[bytes], T]) -> Iterator[T]:
    """What the owner says, as it comes; the end of it ends this process in mid-work."""
    while True:
        try:
            body = read_frame(source)
            if body is None:
                # The owner is gone, or does not want this any more; nothing is worth finishing.
                os._exit(0)
            yield decode(body)
        except (FramingError, msgspec.DecodeError):
            os._exit(3)
