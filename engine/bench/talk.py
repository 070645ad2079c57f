"""How a benchmark talks to a program it compares with: one process each, JSON in frames.

The peer's process reads `Setup` first and answers `Ready`, then a `Timed` for each `Task`; whatever
goes wrong there is a `Broken` with the reason. The end of its input is the end of the peer.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
import numpy as np

from engine.child_main import claim_stdout, owner_messages
from engine.framing import write_frame
from engine.settings import EngineSettings, GenerationSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_SEED = 20


class PeerMessage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of everything said."""


class Setup(PeerMessage, frozen=True, kw_only=True):
    """Load this model, with the sizes and threads that the product's context has."""

    settings: EngineSettings
    generation: GenerationSettings
    n_threads: int
    n_threads_batch: int
    n_vocab: int
    flash_attn: bool


class Task(PeerMessage, frozen=True, kw_only=True):
    """Read or write `n` tokens after `depth` others."""

    kind: Literal["pp", "tg"]
    n: int
    depth: int


class Ready(PeerMessage, frozen=True, kw_only=True):
    """The model is loaded."""

    version: str


class Timed(PeerMessage, frozen=True, kw_only=True):
    """Seconds that the task took."""

    seconds: float


class Broken(PeerMessage, frozen=True, kw_only=True):
    """It did not work."""

    reason: str


Request = Setup | Task
Answer = Ready | Timed | Broken
decode_answer = msgspec.json.Decoder(Answer).decode
_decode_request = msgspec.json.Decoder(Request).decode
encode = msgspec.json.encode


class Peer(Protocol):
    """A loaded peer, inside its own process."""

    version: str

    def read(self, front: list[int], new: list[int]) -> float:
        """Seconds to read `new` after `front`, which is mostly read already."""

    def write(self, front: list[int], count: int) -> float:
        """Seconds to write `count` tokens after `front`."""


class TaskTokens:
    """Random tokens: the same up to each depth, new ones after it."""

    def __init__(self, n_vocab: int) -> None:
        self._n_vocab = n_vocab
        self._random = np.random.default_rng(_SEED + 1)

    def front(self, count: int) -> list[int]:
        """The first `count` tokens of every task."""
        same = np.random.default_rng(_SEED)
        return [int(token) for token in same.integers(0, self._n_vocab, count)]

    def new(self, count: int) -> list[int]:
        """Tokens that nobody has seen."""
        return [int(token) for token in self._random.integers(0, self._n_vocab, count)]


def serve(load: Callable[[Setup], Peer]) -> None:
    """The peer's process: answer until the input ends, and the process with it."""
    answers = claim_stdout()
    peer: Peer | None = None
    tokens = TaskTokens(1)
    # The end of the input ends the process at once: foreign threads may not end by themselves.
    for request in owner_messages(sys.stdin.buffer, _decode_request):
        answer: Answer
        try:
            if isinstance(request, Setup):
                peer, tokens = load(request), TaskTokens(request.n_vocab)
                answer = Ready(version=peer.version)
            else:
                answer = Timed(seconds=_timed(peer, tokens, request))
        except Exception as error:  # noqa: BLE001  another program's failure is a fact to report
            answer = Broken(reason=str(error) or type(error).__name__)
        write_frame(answers, encode(answer))


def _timed(peer: Peer | None, tokens: TaskTokens, task: Task) -> float:
    if peer is None:
        raise ValueError("nothing is loaded")
    front = tokens.front(task.depth)
    if task.kind == "pp":
        return peer.read(front, tokens.new(task.n))
    # One new token, so that there is something to write after at any depth.
    return peer.write([*front, *tokens.new(1)], task.n)
