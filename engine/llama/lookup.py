"""Prompt lookup: guesses the next tokens from text already read, to be checked in one decode.

A reply that quotes its document is guessed right for long stretches. Checking is sampling each
position as usual and comparing, so the reply is distributed as without it. Whether a guess pays
depends on the machine: a GPU checks sixteen tokens in the time of one, a CPU may need ten times as
long. So the cost of each size is measured, and how often guesses come true is counted, also for
those that were not made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.llama.guess_costs import Chance, Costs, best_size

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tokens that must match. Longest first: a long match continues right more often.
_LENGTHS = (6, 3, 2)
_BITS = 21
# Tokens guessed at once. With the token before, these fill the tiles of matrix kernels.
_SIZES = (1, 3, 7, 15)


class NgramIndex:
    """Where each short run of tokens last stood, and so what followed it."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._after: tuple[dict[int, int], ...] = tuple({} for _ in _LENGTHS)
        self._keys = [0] * len(_LENGTHS)
        self._masks = [(1 << (_BITS * length)) - 1 for length in _LENGTHS]
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """The text goes on with a token."""
        position = len(self._tokens)
        keys = self._keys
        for level, length in enumerate(_LENGTHS):
            if position >= length:
                self._after[level][keys[level]] = position
            keys[level] = (keys[level] << _BITS | token) & self._masks[level]
        self._tokens.append(token)

    def continuation(self, most: int) -> tuple[int, list[int]]:
        """What followed when the text last stood as it does now, and which length matched."""
        for level, length in enumerate(_LENGTHS):
            if len(self._tokens) < length:
                continue
            position = self._after[level].get(self._keys[level])
            if position is not None:
                return level, self._tokens[position : position + most]
        return 0, []


class PromptLookup:
    """Decides when to guess and how much. Owned by one reply.

    Attributes:
        drafted: Tokens guessed.
        accepted: Those that were right.
    """

    def __init__(self, tokens: Sequence[int], most: int, costs: Costs | None = None) -> None:
        """Begin behind a prompt.

        Args:
            tokens: The prompt's.
            most: How many guesses a decode can check.
            costs: What is known of this machine from earlier replies.
        """
        self._index = NgramIndex(tokens)
        self._sizes = [size for size in _SIZES if size <= most]
        self._chances = (Chance(3.5, 4), Chance(2, 4), Chance(1, 4))
        self._costs = costs or Costs()
        self._costs.begin()
        self._level = 0
        self._awaited: list[int] = []
        self.drafted = 0
        self.accepted = 0

    def note(self, token: int) -> None:
        """A token was written."""
        self._index.add(token)
        if self._awaited:
            right = self._awaited.pop(0) == token
            self._chances[self._level].note(right=right)
            if not right:
                self._awaited.clear()

    def propose(self, room: int) -> list[int]:
        """Tokens to check with the next decode, at most `room`; none when they would not pay."""
        if not self._sizes:
            return []
        self._level, guess = self._index.continuation(self._sizes[-1])
        # Kept also if nothing is drafted: it shows what guessing would have been good for.
        self._awaited = list(guess)
        chance = self._chances[self._level].value
        size = best_size(self._sizes, min(len(guess), room), chance, self._costs)
        return guess[:size]

    def note_step(self, drafted: int, accepted: int, seconds: float) -> None:
        """A decode with so many guesses gave so many right ones, plus the token after them."""
        self._costs.note(drafted + 1, seconds)
        self.drafted += drafted
        self.accepted += accepted
