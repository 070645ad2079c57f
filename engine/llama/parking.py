"""Sequences kept in host memory: checkpoints of the one being read, and whole chats set aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.llama.reuse_memory import State
    from engine.llama.vocabulary import Tokens

_MOST_CHECKPOINTS = 12
# However small the budget: where the documents end and where the last prompt ended.
_FEWEST_CHECKPOINTS = 2
_MOST_EVICTED = 64


def common_prefix(one: Tokens, other: Tokens) -> int:
    """How many tokens two sequences start with alike."""
    length = min(len(one), len(other))
    differs = np.flatnonzero(one[:length] != other[:length])
    return int(differs[0]) if len(differs) else length


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The partial state of a memory that goes on after `position` tokens, once cut to them."""

    position: int
    state: State


class Checkpoints:
    """Checkpoints of one sequence by rising position, thinned out when there are too many."""

    def __init__(self, kept: Sequence[Checkpoint] = ()) -> None:
        self._kept = list(kept)

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self._kept)

    @property
    def bytes(self) -> int:
        """Host memory they take."""
        return sum(len(checkpoint.state) for checkpoint in self._kept)

    def add(self, checkpoint: Checkpoint, budget_bytes: int) -> None:
        """Add one at or past the last position, then drop what is too much."""
        self.cut(checkpoint.position - 1)
        self._kept.append(checkpoint)
        while len(self._kept) > _FEWEST_CHECKPOINTS and (
            len(self._kept) > _MOST_CHECKPOINTS or self.bytes > budget_bytes
        ):
            del self._kept[self._least_useful()]

    def _least_useful(self) -> int:
        # The one whose loss costs the fewest tokens to read again; never the newest.
        positions = [0, *(checkpoint.position for checkpoint in self._kept)]
        gaps = [after - before for before, after in pairwise(positions)]
        return min(range(len(gaps) - 1), key=gaps.__getitem__)

    def best(self, limit: int) -> Checkpoint | None:
        """The last one at or before a position."""
        at_most = [checkpoint for checkpoint in self._kept if checkpoint.position <= limit]
        return at_most[-1] if at_most else None

    def cut(self, length: int) -> None:
        """Drop those past `length` tokens."""
        self._kept = [checkpoint for checkpoint in self._kept if checkpoint.position <= length]


@dataclass(frozen=True, slots=True, eq=False)
class Parked:
    """A sequence in host memory.

    Attributes:
        tokens: What it holds.
        lowest: First position that its state will hold when it is back in the memory.
    """

    chat_id: str
    tokens: Tokens
    state: State
    lowest: int
    checkpoints: tuple[Checkpoint, ...]

    @property
    def bytes(self) -> int:
        """Host memory it takes."""
        return len(self.state) + sum(len(checkpoint.state) for checkpoint in self.checkpoints)


@dataclass
class ParkingLot:
    """Parked sequences within a budget; the one unused for longest goes first.

    Attributes:
        evicted: Tokens of chats that had to go, so that the user can be told why they are read
            again.
    """

    budget_bytes: int
    parked: list[Parked] = field(default_factory=list)
    evicted: dict[str, Tokens] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Host memory all of them take."""
        return sum(entry.bytes for entry in self.parked)

    def park(self, entry: Parked) -> None:
        """Take a sequence in, in place of older ones that it contains."""
        self.parked = [old for old in self.parked if not _replaces(entry, old)]
        self.parked.append(entry)
        self.evicted.pop(entry.chat_id, None)

    def use(self, entry: Parked, *, keep: bool) -> None:
        """A sequence goes back into the memory; its copy stays as the newest, or is dropped."""
        self.parked = [other for other in self.parked if other is not entry]
        if keep:
            self.parked.append(entry)

    def forget(self, chat_id: str) -> None:
        """Drop all that belongs to a chat."""
        self.parked = [entry for entry in self.parked if entry.chat_id != chat_id]
        self.evicted.pop(chat_id, None)

    def forget_all(self) -> None:
        """Drop everything."""
        self.parked, self.evicted = [], {}

    def shrink(self, reserved_bytes: int) -> None:
        """Let the oldest go until the budget, less what is reserved, holds."""
        while self.parked and self.bytes + reserved_bytes > self.budget_bytes:
            self.note_evicted(self.parked[0].chat_id, self.parked[0].tokens)
            del self.parked[0]

    def note_evicted(self, chat_id: str, tokens: Tokens) -> None:
        """Remember that a chat's state was dropped for want of room."""
        self.evicted.pop(chat_id, None)
        self.evicted[chat_id] = tokens
        while len(self.evicted) > _MOST_EVICTED:
            del self.evicted[next(iter(self.evicted))]


def _replaces(new: Parked, old: Parked) -> bool:
    same_chat = new.chat_id == old.chat_id
    return same_chat and common_prefix(new.tokens, old.tokens) == len(old.tokens)
