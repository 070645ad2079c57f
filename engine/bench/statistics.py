"""What repeated measurements come to: medians with their spread, and ratios of medians."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.bench.plan import Contender, Trial


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One test as one contender ran it.

    Attributes:
        label: Mode and sampler chain, as in tables and ratios.
        tokens_per_second: Median of the samples.
        spread: Half the distance between the quartiles of the samples, in tokens per second.
        samples: Tokens per second of each repetition, in the order they were taken.
    """

    test: str
    n: int
    depth: int
    mode: str
    label: str
    chain: str
    tokens_per_second: float
    spread: float
    samples: tuple[float, ...]

    @property
    def name(self) -> str:
        """The test, as in tables and ratios."""
        return f"{self.test}{self.n}" + (f" @ d{self.depth}" if self.depth else "")


def run_of(trial: Trial, contender: Contender, seconds: Sequence[float]) -> Run:
    """The figures of one test; at least one repetition."""
    samples = [trial.n / max(each, 1e-9) for each in seconds]
    return Run(
        test=trial.kind,
        n=trial.n,
        depth=trial.depth,
        mode=contender.mode,
        label=contender.label,
        chain=contender.chain,
        tokens_per_second=round(statistics.median(samples), 3),
        spread=round(half_quartile_distance(samples), 3),
        samples=tuple(round(sample, 3) for sample in samples),
    )


def half_quartile_distance(samples: Sequence[float]) -> float:
    """The spread of samples; 0 for a single one."""
    if len(samples) < 2:
        return 0.0
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return (high - low) / 2


def ratios_of(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Medians of the product against those of each other mode, test by test.

    Returns:
        For example ``{"product/raw": {"pp512": 0.99, "tg128 @ d4096": 0.98}}``.
    """
    ratios: dict[str, dict[str, float]] = {}
    for ours in (run for run in runs if run.mode == "product"):
        for other in (run for run in runs if run.mode != "product" and run.name == ours.name):
            if other.tokens_per_second:
                ratio = ours.tokens_per_second / other.tokens_per_second
                ratios.setdefault(f"{ours.label}/{other.label}", {})[ours.name] = round(ratio, 4)
    return ratios
