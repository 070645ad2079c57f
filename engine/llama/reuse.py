"""What the KV memory holds, and how much of a new prompt is already in it.

How to use it, on the one thread that decodes::

    reuse = ledger.prepare(chat_id, laid_out.tokens, laid_out.marks)
    position = reuse.kept
    while position < len(tokens):
        count = ledger.slice_tokens(n_batch)        # stops at positions worth a checkpoint
        decode(tokens[position : position + count], seq_id=reuse.seq_id, pos=position)
        ledger.note_decoded(tokens[position : position + count])
        position += count
    ... each written token: decode it, then note_decoded([token])
    on a decode that failed or was cut short: ledger.note_failed()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.vocabulary import Tokens
    from engine.worker.protocol import MemoryClass


@dataclass(frozen=True, slots=True)
class Reuse:
    """What `KvLedger.prepare` left in the memory.

    Attributes:
        kept: Tokens that need not be read; always fewer than the prompt has, because the last one
            is decoded again for its logits.
        reason: Code of why less is kept than the chat shares with its own past; else empty.
        restored: Whether a parked state was brought back.
        seq_id: Sequence to decode into.
    """

    kept: int
    reason: str = ""
    restored: bool = False
    seq_id: int = 0


def memory_class(model: int) -> MemoryClass:
    """Which kind of memory a model's context has; decides how a prefix can be kept."""
    raise NotImplementedError


class KvLedger:
    """Owns what is in a context's memory. All calls but `cached_prefix` on the decoding thread.

    Args:
        context: The llama.cpp context (n_seq_max 1); the ledger must go before it does.
        model: Its model.
        swa_full: As the context was made.
        budget_bytes: Host memory for parked chats and checkpoints.
    """

    def __init__(
        self,
        context: int,
        model: int,
        *,
        swa_full: bool,
        budget_bytes: int,
    ) -> None:
        raise NotImplementedError

    def prepare(self, chat_id: str, tokens: Tokens, marks: Sequence[int] = ()) -> Reuse:
        """Leave the memory holding exactly ``tokens[:kept]``, whatever chat was in it before."""
        raise NotImplementedError

    def slice_tokens(self, wanted: int) -> int:
        """How many of the next `wanted` tokens to decode at once, at least 1."""
        raise NotImplementedError

    def note_decoded(self, tokens: Sequence[int] | Tokens) -> None:
        """These tokens were just decoded after the ones before."""
        raise NotImplementedError

    def can_roll_back(self, count: int) -> bool:
        """Whether `rollback` of so many tokens would work."""
        raise NotImplementedError

    def rollback(self, count: int) -> bool:
        """Take back the last tokens (a rejected draft). False, and nothing done, if impossible."""
        raise NotImplementedError

    def note_failed(self) -> None:
        """A decode failed or was aborted: make memory and ledger agree again."""
        raise NotImplementedError

    def forget(self, chat_id: str = "") -> None:
        """Drop a chat's state, resident or parked; all of them, and the memory, when empty."""
        raise NotImplementedError

    def set_budget(self, budget_bytes: int) -> None:
        """Change the host memory for parked chats, at once."""
        raise NotImplementedError

    def cached_prefix(self, chat_id: str, tokens: Tokens) -> int:
        """How many tokens `prepare` would keep now. Changes nothing; callable from any thread."""
        raise NotImplementedError

    @property
    def used(self) -> int:
        """Tokens in the memory now."""
        raise NotImplementedError

    @property
    def parked_bytes(self) -> int:
        """Host memory that parked chats and checkpoints take."""
        raise NotImplementedError
