"""Prompt lookup: guesses the next tokens from text already read, to be checked in one decode.

A reply that quotes its document is guessed right for long stretches. Checking is sampling each
position as usual and comparing, so the reply is distributed as without it. Whether a guess pays
depends on the machine: a GPU checks sixteen tokens in the time of one, a CPU may need ten times as
long. So the cost of each size is measured, and how often guesses come true is counted, also for
those that were not made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tokens that must match. Longest first: a long match continues right more often.
_LENGTHS = (6, 3, 2)
_BITS = 21
# Tokens guessed at once. With the token before, these fill the tiles of matrix kernels.
_SIZES = (1, 3, 7, 15)
# What a size not tried lately is taken to cost, against the next smaller one.
_OPTIMISM = 1.3
_FORGOTTEN_STEPS = 128
_MEMORY = 0.7
# How much faster than plain decoding a guess has to promise to be.
_WORTH = 1.05


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


class _Chance:
    """How likely a guessed token is right, from the latest ones."""

    def __init__(self, right: float, of: float) -> None:
        self._right = right
        self._of = of

    @property
    def value(self) -> float:
        return self._right / self._of

    def note(self, *, right: bool) -> None:
        self._right = 0.95 * self._right + right
        self._of = 0.95 * self._of + 1


class _Costs:
    """Seconds that a decode of so many tokens takes; what was not seen lately is forgotten."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self._step = 0

    def note(self, tokens: int, seconds: float) -> None:
        old = self._seconds.get(tokens)
        # Something else on the machine can hold up a single step.
        new = seconds if old is None else min(seconds, 2 * old)
        self._seconds[tokens] = new if old is None else _MEMORY * old + (1 - _MEMORY) * new
        self._step += 1
        self._seen[tokens] = self._step
        for size, seen in list(self._seen.items()):
            if self._step - seen > _FORGOTTEN_STEPS:
                del self._seen[size], self._seconds[size]

    def of(self, tokens: int) -> float | None:
        return self._seconds.get(tokens)


class PromptLookup:
    """Decides when to guess and how much. Owned by one reply.

    Attributes:
        drafted: Tokens guessed.
        accepted: Those that were right.
    """

    def __init__(self, tokens: Sequence[int], most: int) -> None:
        """Args: the prompt's tokens, and how many guesses a decode can check at most."""
        self._index = NgramIndex(tokens)
        self._sizes = [size for size in _SIZES if size <= most]
        self._chances = (_Chance(3.5, 4), _Chance(2, 4), _Chance(1, 4))
        self._costs = _Costs()
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
        size = self._best_size(min(len(guess), room))
        return guess[:size]

    def _best_size(self, most: int) -> int:
        alone = cost = self._costs.of(1)
        if alone is None or cost is None:
            return 0
        chance = self._chances[self._level].value
        best, best_rate = 0, _WORTH / alone
        for size in self._sizes:
            if size > most:
                break
            cost = self._costs.of(size + 1) or cost * _OPTIMISM
            expected = sum(chance**right for right in range(size + 1))
            if expected / cost > best_rate:
                best, best_rate = size, expected / cost
        return best

    def note_step(self, drafted: int, accepted: int, seconds: float) -> None:
        """A decode with so many guesses gave so many right ones, plus the token after them."""
        self._costs.note(drafted + 1, seconds)
        self.drafted += drafted
        self.accepted += accepted
