"""What the reading process and its owner say to each other: msgpack in frames over stdio.

One request in, any number of `Progress` out, then `Done` or `Failed`, then the process ends.
"""

from __future__ import annotations

import msgspec

from engine.documents.limits import Limits
from engine.documents.model import Document
from engine.errors import Problem

EXIT_OUT_OF_MEMORY = 71
"""How the process ends when there is too little memory left even to say so in a frame."""


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Read this file. The password travels here, never on a command line others can see."""

    path: str
    limits: Limits
    password: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """So far `done` of `total` pages (or characters, or rows); a total of 0 is unknown."""

    done: int
    total: int


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The file was read."""

    document: Document


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The file cannot be read, and why."""

    problem: Problem


Reply = Progress | Done | Failed
REQUEST_DECODER = msgspec.msgpack.Decoder(ReadRequest)
REPLY_DECODER: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
ENCODER = msgspec.msgpack.Encoder()
