"""The values of one setting that are timed against each other, and what came of each."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from engine.bench.statistics import half_quartile_distance
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

# Less than this is not worth more memory, or more threads.
_WORTH = 1.03


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one setting.

    Attributes:
        setting: ``n_ubatch``, ``n_threads_batch`` or ``n_threads``.
        tokens_per_second: Median of the samples, reading or writing; None before the first one,
            and where the value was refused.
        spread: Half the distance between the quartiles.
        compute_bytes: Of the compute buffers, on all devices; None where it was refused.
        is_best: Whether it was chosen: the smallest that is nearly as fast as the fastest.
        problem: Why the engine refused it, most often for want of memory.
    """

    setting: str
    value: int
    tokens_per_second: float | None = None
    spread: float = 0.0
    samples: tuple[float, ...] = ()
    compute_bytes: int | None = None
    is_best: bool = False
    problem: Problem | None = None


class Contest:
    """The values of one setting and what was measured of each.

    Attributes:
        refused: Why the engine refused a value.
        best: The value that was chosen; None before `decide`.
    """

    def __init__(self, setting: str, values: Sequence[int], *, reads: bool) -> None:
        self.setting, self.values, self.reads = setting, tuple(values), reads
        self.refused: dict[int, Problem] = {}
        self.best: int | None = None
        self._samples: dict[int, list[float]] = {value: [] for value in values}
        self._compute: dict[int, int] = {}

    def note(self, value: int, tokens_per_second: float, compute_bytes: int) -> None:
        """Take a sample."""
        self._samples[value].append(tokens_per_second)
        self._compute[value] = compute_bytes

    def forget_samples(self) -> None:
        """Start to count."""
        self._samples = {value: [] for value in self.values}

    def decide(self) -> int:
        """Choose the value to take."""
        self.best = best_value(
            {
                value: statistics.median(samples)
                for value, samples in self._samples.items()
                if samples and value not in self.refused
            }
        )
        return self.best

    def rows(self) -> tuple[Tried, ...]:
        """Every value as it stands."""
        return tuple(self._row(value) for value in self.values)

    def _row(self, value: int) -> Tried:
        samples = () if value in self.refused else tuple(self._samples[value])
        return Tried(
            setting=self.setting,
            value=value,
            tokens_per_second=round(statistics.median(samples), 3) if samples else None,
            spread=round(half_quartile_distance(samples), 3) if samples else 0.0,
            samples=tuple(round(sample, 3) for sample in samples),
            compute_bytes=self._compute.get(value),
            is_best=value == self.best,
            problem=self.refused.get(value),
        )


def best_value(medians: dict[int, float]) -> int:
    """The smallest value that is nearly as fast as the fastest: it takes the least memory."""
    fastest = max(medians.values())
    return min(value for value, speed in medians.items() if speed * _WORTH >= fastest)
