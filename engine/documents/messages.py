"""What the processes for documents and their owners say: msgpack in frames over stdio.

To the reading process goes one request; any number of `Progress` come back, then `Done` or
`Failed`, then it ends. To the drawing process go any number of `DrawRequest`, and to each comes a
`Drawing` or a `NotDrawn`.
"""

from __future__ import annotations

import msgspec

from engine.documents.limits import Limits
from engine.documents.model import Document
from engine.errors import Problem

EXIT_OUT_OF_MEMORY = 71
"""How the process ends when there is too little memory left even to say so in a frame."""


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Read this file. The password travels here, never on a command line others can see.

    Attributes:
        path: As the file system has it: a name need not be UTF-8.
    """

    path: bytes
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


class DrawRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Draw this page of a PDF.

    Attributes:
        index: Which page, from 0.
        width_px: How wide the picture is to be.
        text: What was read of the page, for finding passages on it.
        spans: Passages of `text` whose place on the page is wanted.
    """

    path: str
    index: int
    width_px: int
    password: str | None = None
    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()


class Box(msgspec.Struct, frozen=True, array_like=True):
    """A rectangle on a page, in shares of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float


class Drawing(msgspec.Struct, frozen=True, kw_only=True, tag="drawing"):
    """A page as it looks.

    Attributes:
        stride: Bytes of a row.
        pixels: Rows of pixels from the top, each four bytes: red, green, blue, unused.
        boxes: Where each of the passages stands, line by line; empty for one that was not found.
        width_pt: How wide the page is by itself, in points of 1/72 inch.
    """

    width_px: int
    height_px: int
    stride: int
    pixels: bytes
    width_pt: float
    boxes: tuple[tuple[Box, ...], ...] = ()


class NotDrawn(msgspec.Struct, frozen=True, kw_only=True, tag="not_drawn"):
    """There is no picture, and why: ``encrypted`` or ``damaged``."""

    reason: str


Reply = Progress | Done | Failed
REQUEST_DECODER = msgspec.msgpack.Decoder(ReadRequest)
REPLY_DECODER: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
DRAW_REQUEST_DECODER = msgspec.msgpack.Decoder(DrawRequest)
DRAW_REPLY_DECODER: msgspec.msgpack.Decoder[Drawing | NotDrawn] = msgspec.msgpack.Decoder(
    Drawing | NotDrawn
)
