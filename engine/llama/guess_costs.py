"""Whether guessing ahead pays: how often guesses come true against what their steps take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a size not tried lately is taken to cost, against the next smaller one.
_OPTIMISM = 1.3
_FORGOTTEN_STEPS = 128
_MEMORY = 0.7
# How much faster than plain decoding a guess has to promise to be.
_WORTH = 1.05


class Chance:
    """How likely a guessed token is right, from the latest ones."""

    def __init__(self, right: float, of: float) -> None:
        self._right = right
        self._of = of

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self._right / self._of

    def note(self, *, right: bool) -> None:
        """A guessed token was right or wrong."""
        self._right = 0.95 * self._right + right
        self._of = 0.95 * self._of + 1


class Costs:
    """Seconds that a step with so many tokens takes; what was not seen lately is forgotten."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self._step = 0

    def note(self, tokens: int, seconds: float) -> None:
        """A step decoded so many tokens and took so long."""
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
        """Seconds, or None where it is not known."""
        return self._seconds.get(tokens)


def best_size(sizes: Sequence[int], most: int, chance: float, costs: Costs) -> int:
    """How many tokens to guess: where most are written per second; 0 where it does not pay.

    Args:
        sizes: What may be chosen, rising.
        most: No more than so many.
        chance: That one token is right, where those before it are.
        costs: Of steps with one token more than are guessed.
    """
    alone = cost = costs.of(1)
    if alone is None or cost is None:
        return 0
    best, best_rate = 0, _WORTH / alone
    for size in sizes:
        if size > most:
            break
        cost = costs.of(size + 1) or cost * _OPTIMISM
        expected = sum(chance**right for right in range(size + 1))
        if expected / cost > best_rate:
            best, best_rate = size, expected / cost
    return best
