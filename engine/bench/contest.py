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
# As fast, and this much less memory, is worth a change.
_WORTH_BYTES = 32 << 20
# Of the speed: how far few samples may be off, whatever distance there is between them.
_FEW_SAMPLES = 3
_NOISE_OF_FEW = 0.05


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
        is_death: Whether the engine's process ended with it, instead of refusing it.
    """

    setting: str
    value: int
    tokens_per_second: float | None = None
    spread: float = 0.0
    samples: tuple[float, ...] = ()
    compute_bytes: int | None = None
    is_best: bool = False
    problem: Problem | None = None
    is_death: bool = False


class Contest:
    """The values of one setting and what was measured of each.

    Attributes:
        refused: Why the engine refused a value.
        deaths: Those of them with which the engine's process ended.
        best: The value that was chosen; None before `decide`, and where there is no figure.
        is_indistinct: Whether that is the present one only because none is better beyond the noise.
    """

    def __init__(self, setting: str, values: Sequence[int], *, reads: bool) -> None:
        self.setting, self.values, self.reads = setting, tuple(values), reads
        self.refused: dict[int, Problem] = {}
        self.deaths: set[int] = set()
        self.best: int | None = None
        self.is_indistinct = False
        self._samples: dict[int, list[float]] = {value: [] for value in values}
        self._compute: dict[int, int] = {}

    def note(self, value: int, tokens_per_second: float, compute_bytes: int) -> None:
        """Take a sample."""
        self._samples[value].append(tokens_per_second)
        self._compute[value] = compute_bytes

    def forget_samples(self) -> None:
        """Start to count."""
        self._samples = {value: [] for value in self.values}

    def decide(self, present: int) -> int | None:
        """Choose the value to take, which is the present one where none is better beyond the noise.

        Returns:
            None where nothing could be measured.
        """
        medians = {
            value: statistics.median(samples)
            for value, samples in self._samples.items()
            if samples and value not in self.refused
        }
        self.best = best = best_value(medians) if medians else None
        if best is not None and present in medians and not self._is_better(best, present, medians):
            self.best, self.is_indistinct = present, best != present
        return self.best

    def _is_better(self, best: int, present: int, medians: dict[int, float]) -> bool:
        """Whether a value is faster than the present one, or as fast with less memory."""
        gain = medians[best] - medians[present]
        noise = self._noise(best, medians) + self._noise(present, medians)
        worth = (_WORTH - 1) * medians[present]
        saved_bytes = self._compute[present] - self._compute[best]
        return (gain > noise and gain > worth) or (
            noise <= worth and -gain <= worth and saved_bytes >= _WORTH_BYTES
        )

    def _noise(self, value: int, medians: dict[int, float]) -> float:
        samples = self._samples[value]
        least = _NOISE_OF_FEW * medians[value] if len(samples) < _FEW_SAMPLES else 0.0
        return max(half_quartile_distance(samples), least)

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
            is_death=value in self.deaths,
        )


def best_value(medians: dict[int, float]) -> int:
    """The smallest value that is nearly as fast as the fastest: it takes the least memory."""
    fastest = max(medians.values())
    return min(value for value, speed in medians.items() if speed * _WORTH >= fastest)
