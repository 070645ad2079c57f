"""The messages between an app and its embedding process, in the frames of `engine.framing`.

Each `Embed` is answered by one `Vectors` or `Failed`, in order. The process opens the model with
the first one, and leaves when nothing was asked of it for a while.
"""

from __future__ import annotations

import msgspec

from engine.errors import Problem


class Embed(msgspec.Struct, frozen=True, kw_only=True):
    """Turn texts into vectors.

    Attributes:
        path: The model's file.
        texts: What to embed, with the words in front that the model wants.
        n_threads: Threads to compute with; 0 for half of the cores.
    """

    path: str
    texts: tuple[str, ...]
    n_threads: int = 0


class Vectors(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A vector of length one for each text: float32, row by row.

    Attributes:
        shortened: Places of the texts longer than the model reads; their beginnings were embedded.
    """

    width: int
    data: bytes
    shortened: tuple[int, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """These texts were not embedded, and why."""

    problem: Problem


class Aborting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The text of the assert that is about to end the process."""

    text: str


Answer = Vectors | Failed

decode_question = msgspec.msgpack.Decoder(Embed).decode
decode_answer = msgspec.msgpack.Decoder(Answer | Aborting).decode
