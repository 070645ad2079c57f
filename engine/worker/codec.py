"""Messages to bytes and back: msgpack bodies in the frames of `engine.framing`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from engine.framing import FramingError, read_frame, write_frame
from engine.worker.protocol import Command, Event, Message

if TYPE_CHECKING:
    from engine.framing import ReadableStream, WritableStream

_encode = msgspec.msgpack.Encoder().encode
_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_event = msgspec.msgpack.Decoder(Event).decode


class GarbledStreamError(Exception):
    """The other end sent something that is not a message of this protocol."""


class Sender:
    """Writes messages to one stream; any thread may call it."""

    def __init__(self, stream: WritableStream) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            OSError: The other end is gone.
            ValueError: The stream was closed here.
        """
        body = _encode(message)
        with self._lock:
            write_frame(self._stream, body)


def read_command(stream: ReadableStream) -> Command | None:
    """The next command, or None at the end of the stream.

    Raises:
        GarbledStreamError: The bytes are no command.
    """
    try:
        body = read_frame(stream)
        return None if body is None else _decode_command(body)
    except (FramingError, msgspec.DecodeError) as error:
        raise GarbledStreamError(str(error)) from error


def read_event(stream: ReadableStream) -> Event | None:
    """The next event, or None at the end of the stream.

    Raises:
        GarbledStreamError: The bytes are no event.
    """
    try:
        body = read_frame(stream)
        return None if body is None else _decode_event(body)
    except (FramingError, msgspec.DecodeError) as error:
        raise GarbledStreamError(str(error)) from error
