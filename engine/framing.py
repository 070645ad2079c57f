"""Frames on a byte stream: a 4-byte little-endian length, then that many bytes.

The processes that the engine starts speak in such frames over their stdio. What a frame's body
means is the business of the code that writes it.
"""

from __future__ import annotations

import struct
from typing import Protocol

LIMIT_BYTES = 256 * 1024 * 1024
"""Largest body of a frame. A longer length means that something else wrote into the stream."""

_LENGTH = struct.Struct("<I")
_CHUNK_BYTES = 1024 * 1024


class ReadableStream(Protocol):
    """A binary stream to read from: a pipe, buffered or not, or `io.BytesIO`."""

    def read(self, size: int, /) -> bytes | None:
        """Read up to `size` bytes; empty at the end of the stream."""


class WritableStream(Protocol):
    """A binary stream to write to."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Write `data`; an unbuffered stream may take less and return how much."""

    def flush(self) -> None:
        """Hand over what is buffered."""


class FramingError(Exception):
    """The stream does not hold whole frames: cut off in the middle, or not frames at all."""


def write_frame(stream: WritableStream, body: bytes) -> None:
    """Write one frame and flush it. Callers on several threads share a lock of their own.

    Raises:
        FramingError: The body is over `LIMIT_BYTES`; nothing was written.
        OSError: The other side closed the stream.
    """
    if len(body) > LIMIT_BYTES:
        raise FramingError(f"a frame of {len(body)} bytes is over the limit of {LIMIT_BYTES}")
    pending = memoryview(_LENGTH.pack(len(body)) + body)
    while pending:
        # A raw pipe may take a part only; a buffered stream takes all.
        written = stream.write(pending)
        pending = pending[len(pending) if written is None else written :]
    stream.flush()


def read_frame(stream: ReadableStream) -> bytes | None:
    """Read one frame's body; None where the stream ends cleanly between two frames.

    Raises:
        FramingError: The stream ends inside a frame, or the length is over `LIMIT_BYTES`.
    """
    head = _read_up_to(stream, _LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise FramingError("the stream ended inside a frame's length")
    size: int = _LENGTH.unpack(head)[0]
    if size > LIMIT_BYTES:
        raise FramingError(f"a frame of {size} bytes is over the limit of {LIMIT_BYTES}")
    body = _read_up_to(stream, size)
    if len(body) < size:
        raise FramingError(f"the stream ended after {len(body)} of {size} bytes of a frame")
    return body


def _read_up_to(stream: ReadableStream, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the stream."""
    data = bytearray()
    while len(data) < size:
        # In chunks: a wrong length must not make us reserve 256 MiB before a byte has come.
        chunk = stream.read(min(size - len(data), _CHUNK_BYTES))
        if not chunk:
            break
        data += chunk
    return bytes(data)
