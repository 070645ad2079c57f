"""Messages to bytes and back: msgpack bodies for the frames of `engine.framing`."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from engine.framing import write_frame
from engine.packing import packed
from engine.worker.protocol import Command, Event, Message

if TYPE_CHECKING:
    from engine.framing import WritableStream


def decode_command(body: bytes) -> Command:
    """A command from its bytes.

    Raises:
        msgspec.DecodeError: They are no command.
    """
    return _commands().decode(body)


def decode_event(body: bytes) -> Event:
    """An event from its bytes.

    Raises:
        msgspec.DecodeError: They are no event.
    """
    return _events().decode(body)


# Made with the first message: a decoder looks through all types of the protocol, which takes 3 ms.
@cache
def _commands() -> msgspec.msgpack.Decoder[Command]:
    return msgspec.msgpack.Decoder(Command)


@cache
def _events() -> msgspec.msgpack.Decoder[Event]:
    return msgspec.msgpack.Decoder(Event)


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
        body = packed(message)
        with self._lock:
            write_frame(self._stream, body)
