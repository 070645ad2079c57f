"""Whether guessing ahead pays: how often guesses come true against what their steps take."""

from __future__ import annotations

import statistics
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What sizes not tried lately are taken to cost, as shares of a plain step: the first guess, and
# each further one. Little, so that each is tried once where it would pay at that.
_FIRST_GUESS = 0.3
_FURTHER_GUESS = 0.25
# After so many steps without a size it is tried anew: at first, and at most where it goes on not to
# pay, as each try costs some steps.
_FORGOTTEN_STEPS = (128, 4096)
# Something else on the machine can hold up a single step: the middle one of the latest counts.
_LATEST = 5
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
    """Seconds that a step with so many tokens takes, known for the plain steps of the moment.

    Steps take longer the deeper the context is and the busier the machine, whatever their size. So
    a size is remembered by how many plain steps of its time it took, for the next reply as well.

    Args:
        forgets: What was not seen lately, so that it is tried anew.
    """

    def __init__(self, *, forgets: bool = True) -> None:
        self._forgets = forgets
        # Seconds for one token, plain steps for more.
        self._latest: dict[int, deque[float]] = {}
        self._seen: dict[int, int] = {}
        self._patience: dict[int, int] = {}
        self._step = 0

    def note(self, tokens: int, seconds: float) -> None:
        """A step decoded so many tokens and took so long; said of one token first."""
        alone = self.of(1)
        if tokens > 1 and not alone:
            return
        latest = self._latest.setdefault(tokens, deque(maxlen=_LATEST))
        latest.append(seconds / alone if alone and tokens > 1 else seconds)
        self._step += 1
        if tokens in self._seen:
            self._patience[tokens] = _FORGOTTEN_STEPS[0]
        self._seen[tokens] = self._step
        if self._forgets:
            self._forget_old()

    def _forget_old(self) -> None:
        first, most = _FORGOTTEN_STEPS
        for size, seen in list(self._seen.items()):
            patience = self._patience.setdefault(size, first)
            if self._step - seen > patience:
                del self._seen[size], self._latest[size]
                # Plain steps are what all are held against.
                self._patience[size] = min(2 * patience, most) if size > 1 else first

    def begin(self) -> None:
        """Another reply begins, at another depth perhaps: plain steps are timed anew."""
        self._seen.pop(1, None)
        self._latest.pop(1, None)

    def forget_guesses(self) -> None:
        """Keep what a plain step takes alone."""
        for size in [size for size in self._latest if size != 1]:
            del self._seen[size], self._latest[size]

    def times(self, tokens: int) -> int:
        """How many of the latest such steps are known."""
        return len(self._latest.get(tokens, ()))

    def of(self, tokens: int) -> float | None:
        """Seconds, or None where it is not known."""
        latest = self._latest.get(tokens)
        if not latest:
            return None
        middle, alone = statistics.median_low(latest), 1.0 if tokens == 1 else self.of(1)
        return middle * alone if alone else None

    def about(self, tokens: int) -> float | None:
        """Seconds, measured or by the nearest sizes that were; None before a plain step was timed.

        Between two sizes they rise evenly: a second token can cost more than six further ones, as
        other kernels take over. Beyond the largest they are taken to rise little.
        """
        known, alone = self.of(tokens), self.of(1)
        if known is not None or alone is None:
            return known
        below = max(size for size in self._latest if size < tokens)
        lower = self.of(below) or alone
        above = min((size for size in self._latest if size > tokens), default=None)
        if above is not None:
            rise = ((self.of(above) or lower) - lower) / (above - below)
            return lower + rise * (tokens - below)
        if below == 1:
            return alone * (1 + _FIRST_GUESS + _FURTHER_GUESS * (tokens - 2))
        rise = min(_FURTHER_GUESS * alone, (lower - alone) / (below - 1))
        return lower + max(0.0, rise) * (tokens - below)


def best_size(sizes: Sequence[int], most: int, chance: float, costs: Costs) -> int:
    """How many tokens to guess: where most are written per second; 0 where it does not pay.

    Args:
        sizes: What may be chosen, rising.
        most: No more than so many.
        chance: That one token is right, where those before it are.
        costs: Of steps with one token more than are guessed.
    """
    alone = costs.about(1)
    if alone is None:
        return 0
    best, best_rate = 0, _WORTH / alone
    for size in sizes:
        if size > most:
            break
        cost = costs.about(size + 1)
        expected = sum(chance**right for right in range(size + 1))
        if cost and expected / cost > best_rate:
            best, best_rate = size, expected / cost
    return best
