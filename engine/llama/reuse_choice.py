"""Which held sequence a prompt starts from, how far, and where to save states. Pure decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.llama.parking import Parked, common_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.llama.parking import Checkpoint
    from engine.llama.vocabulary import Tokens

# A copy of another chat's state must save reading at least these.
_WORTH_A_COPY = 32
# Of what a chat ended with, by which it is found again. The very last ones may have been cut.
_ENDING = slice(-64, -16)
# Less that is read again needs no explanation.
_MUCH = 256
_MARKS_APART = 32
_MOST_MARKS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A sequence that a prompt could start from.

    Attributes:
        lowest: First position that its memory still has.
        parked: Where it is; None for the one in the context's memory.
    """

    chat_id: str
    tokens: Tokens
    lowest: int
    checkpoints: Sequence[Checkpoint]
    parked: Parked | None = None

    @staticmethod
    def of(parked: Parked) -> Held:
        """A parked sequence, as it will be when it is back."""
        return Held(parked.chat_id, parked.tokens, parked.lowest, parked.checkpoints, parked)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What a held sequence has for a prompt: tokens in common, and those that can be kept."""

    held: Held
    common: int
    usable: int

    def value(self, chat_id: str) -> tuple[int, bool]:
        """Orders the choices for a chat."""
        foreign = self.held.parked is not None and self.held.chat_id != chat_id
        return self.usable - (_WORTH_A_COPY if foreign else 0), self.held.parked is None

    def is_moved_in(self, tokens: Tokens) -> bool:
        """Whether a prompt has the end of what is held, and much before that differs."""
        held = self.held.tokens
        if len(held) - self.common < _MUCH:
            return False
        ending, after = held[_ENDING].tobytes(), tokens[self.common :].tobytes()
        found = after.find(ending)
        while found >= 0 and found % held.itemsize:
            found = after.find(ending, found + 1)
        return found >= 0


def start_from(held: Held, tokens: Tokens, window: int) -> Start:
    """What a held sequence has for a prompt, whose last token is always decoded again."""
    common = common_prefix(held.tokens, tokens)
    wanted = min(common, len(tokens) - 1)
    if wanted <= 0:
        return Start(held, common, 0)
    if wanted == len(held.tokens) or can_cut(held.lowest, wanted, window):
        return Start(held, common, wanted)
    saved = (c.position for c in held.checkpoints if c.position <= wanted)
    return Start(held, common, max(saved, default=0))


def can_cut(lowest: int, length: int, window: int) -> bool:
    """Whether a memory whose first position is `lowest` can go on after `length` tokens.

    All that the next token sees must be there. A recurrent or compressed memory gives its last
    position as its lowest, and so never passes.
    """
    seen_from = length - window + 1 if window else length - 1
    return lowest <= max(0, seen_from)


def marks_to_save(
    marks: Iterable[int], kept: int, total: int, *, reaches_back: bool = False
) -> list[int]:
    """Where to save states while reading: not too many, not too close, and for the last token.

    Args:
        marks: Positions worth coming back to.
        kept: Tokens that are in the memory already.
        total: Tokens of the prompt.
        reaches_back: Whether a state saved at the end serves for reading the last token again.
            Otherwise it has to be saved before that token, which is then decoded by itself.
    """
    chosen: list[int] = []
    for mark in sorted(set(marks)):
        # Of two that are close the first stays: more prompts have it in common.
        if kept < mark < total - 1 and (not chosen or mark >= chosen[-1] + _MARKS_APART):
            chosen.append(mark)
    if len(chosen) > _MOST_MARKS:
        # The ends of the documents come first in a prompt and are the dearest to read again.
        half = _MOST_MARKS // 2
        chosen = [*chosen[:half], *chosen[-half:]]
    if total - 1 > kept:
        chosen.append(total if reaches_back else total - 1)
    return chosen
