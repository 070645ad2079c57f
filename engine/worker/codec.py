"""Messages to bytes and back: msgpack bodies for the frames of `engine.framing`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from engine.framing import write_frame
from engine.worker.protocol import Command, Event, Message

if TYPE_CHECKING:
    from engine.framing import WritableStream

_encode = msgspec.msgpack.Encoder().encode
decode_command = msgspec.msgpack.Decoder(Command).decode
decode_event = msgspec.msgpack.Decoder(Event).decode


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
