"""Makes room in a full context while a reply is written, for the policy ``rolling``.

The oldest exchanges go first; the system prompt, the documents, a summary and the question stay.
Once there are no more of them, the older half of the reply itself goes.

Where that is safe, what follows is moved up in the KV cache (KV shift): its keys are turned to
their new positions. It is safe for a cache of full attention with rotary positions and keys in f16
or f32, whole on each device. A quantized cache is rotated as well, and shifting it ends in nonsense
or a crash; bf16 keys abort on the CPU; sliding windows and recurrent states cannot be moved. There,
the rest is read again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from engine.llama.library import api
from engine.llama.overflow import room_step
from engine.worker.protocol import LeftOut

if TYPE_CHECKING:
    from engine.llama.loaded import Loaded
    from engine.llama.prompt import LaidOut
    from engine.llama.vocabulary import Tokens

_SHIFTABLE_KEYS = ("f16", "f32")
# With less of a reply than this there is nothing worth taking out of it.
_SHORTEST_REPLY = 64


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tokens of the context that go, and what they are."""

    start: int
    end: int
    left_out: LeftOut


def can_shift(loaded: Loaded) -> bool:
    """Whether the KV cache of this context can be moved up."""
    native = api()
    settings, model = loaded.settings, loaded.model
    memory = native.llama_get_memory(loaded.context.handle)
    has_rope = native.llama_model_rope_type(model.handle) != native.LLAMA_ROPE_TYPE_NONE
    is_whole = settings.split_mode != "tensor" or len(model.devices) < 2
    return (
        loaded.memory_class == "attention"
        and settings.type_k in _SHIFTABLE_KEYS
        and has_rope
        and is_whole
        and bool(native.llama_memory_can_shift(memory))
    )


class Rolling:
    """What can go, oldest first. Owned by one reply."""

    def __init__(self, prompt: LaidOut, n_ctx: int) -> None:
        """Args: the prompt as it was read, and the size of the context."""
        self._n_ctx = n_ctx
        self._front = prompt.turns[0] if prompt.turns else len(prompt.tokens)
        self._reply = len(prompt.tokens)
        self._step = room_step(n_ctx, self._front)
        # The turns of a prompt begin with a question; the last one is being answered.
        questions = [index for index in prompt.questions if index < len(prompt.turns)]
        self._exchanges = deque(
            (later - first, prompt.turns[later] - prompt.turns[first])
            for first, later in pairwise(questions)
        )

    def next(self, length: int) -> Stretch | None:
        """What goes now from a context that holds `length` tokens; None when nothing may."""
        turns = tokens = 0
        while self._exchanges and tokens < self._step:
            more_turns, more = self._exchanges.popleft()
            turns, tokens = turns + more_turns, tokens + more
        if tokens:
            self._reply -= tokens
            left_out = LeftOut(turns=turns, tokens=tokens)
            return Stretch(self._front, self._front + tokens, left_out)
        half = (length - self._reply) // 2
        if half < _SHORTEST_REPLY // 2:
            return None
        left_out = LeftOut(tokens=half, reply_tokens=half)
        return Stretch(self._reply, self._reply + half, left_out)


def without(tokens: Tokens, stretch: Stretch) -> Tokens:
    """Tokens with a stretch taken out."""
    return np.concatenate([tokens[: stretch.start], tokens[stretch.end :]])
