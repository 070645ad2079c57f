"""Tries sizes and thread counts on this machine and says which are best, at which cost.

All candidates of a setting take turns, as in any benchmark, so that other work on the machine is
shared. Reading decides the micro-batch and its threads, writing the other threads.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from engine.bench.statistics import half_quartile_distance
from engine.llama.threads import default_threads
from engine.settings import GenerationSettings, changed
from engine.worker.client import new_request_id
from engine.worker.protocol import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.settings import EngineSettings
    from engine.worker.protocol import Loaded
    from engine.worker.session import BlockingWorker

# A CPU is busy with few tokens; a GPU is not. As many are read as the largest size holds.
_SIZES_CPU = (64, 128, 256, 512)
_SIZES_GPU = (256, 512, 1024, 2048, 4096)
READ_TOKENS = 4096
WRITTEN_TOKENS = 48
# Less than this is not worth more memory, or more threads.
_WORTH = 1.03
_GREEDY = GenerationSettings(temperature=0.0)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one setting.

    Attributes:
        setting: ``n_ubatch``, ``n_threads_batch`` or ``n_threads``.
        tokens_per_second: Median of the samples, reading or writing.
        spread: Half the distance between the quartiles.
        compute_bytes: Of the compute buffers, on all devices.
        is_best: Whether it was chosen: the smallest that is nearly as fast as the fastest.
    """

    setting: str
    value: int
    tokens_per_second: float
    spread: float
    samples: tuple[float, ...]
    compute_bytes: int
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came of it.

    Attributes:
        settings: The settings it began with, with the best values.
        change: The values that differ from what it began with.
    """

    settings: EngineSettings
    change: dict[str, int]
    tried: tuple[Tried, ...]
    loaded: Loaded


class Tuner:
    """Tries settings in a worker of the caller's, one setting after the other.

    Args:
        progress: Told in words what is timed now.
    """

    def __init__(
        self,
        worker: BlockingWorker,
        *,
        repetitions: int = 5,
        progress: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._worker = worker
        self._repetitions = repetitions
        self._progress = progress
        self._read_tokens = 0

    def run(self, settings: EngineSettings) -> Tuning:
        """Do it.

        Raises:
            UserError: The model cannot be loaded with these settings, or a decode failed.
        """
        begun_with = settings
        loaded = self._worker.load(settings)
        rows: list[Tried] = []
        on_cpu = all(device.kind == "cpu" for device in loaded.context.devices)
        most = loaded.context.n_ctx - 2
        sizes = [size for size in (_SIZES_CPU if on_cpu else _SIZES_GPU) if size <= most]
        self._read_tokens = sizes[-1]
        settings = self._try(settings, "n_ubatch", sizes, rows, reads=True)
        if on_cpu:
            counts = thread_candidates()
            settings = self._try(settings, "n_threads_batch", counts, rows, reads=True)
            settings = self._try(settings, "n_threads", counts, rows, reads=False)
        return Tuning(
            settings=settings,
            change={name: getattr(settings, name) for name in changed(begun_with, settings)},
            tried=tuple(rows),
            loaded=self._worker.load(settings),
        )

    def _try(
        self,
        settings: EngineSettings,
        name: str,
        values: Sequence[int],
        rows: list[Tried],
        *,
        reads: bool,
    ) -> EngineSettings:
        """Time the values of a setting in turn; the settings with the best of them."""
        samples: dict[int, list[float]] = {value: [] for value in values}
        compute: dict[int, int] = {}
        for turn in range(self._repetitions + 1):
            for value in values:
                self._progress(f"{name} {value}: {turn} of {self._repetitions}")
                loaded = self._worker.load(with_value(settings, name, value))
                compute[value] = sum(row.compute_bytes for row in loaded.context.memory)
                taken = self._tokens_per_second(reads=reads)
                # The first round warms up and does not count.
                if turn:
                    samples[value].append(taken)
        medians = {value: statistics.median(samples[value]) for value in values}
        best = best_value(medians)
        rows += [
            Tried(
                setting=name,
                value=value,
                tokens_per_second=round(medians[value], 3),
                spread=round(half_quartile_distance(samples[value]), 3),
                samples=tuple(round(sample, 3) for sample in samples[value]),
                compute_bytes=compute[value],
                is_best=value == best,
            )
            for value in values
        ]
        return with_value(settings, name, best)

    def _tokens_per_second(self, *, reads: bool) -> float:
        count = self._read_tokens if reads else WRITTEN_TOKENS
        result = self._worker.bench(
            Bench(
                request_id=new_request_id(),
                n_prompt=count if reads else 0,
                n_generate=0 if reads else count,
                depth=0,
                repetitions=1,
                generation=_GREEDY,
                # A new context has been warmed up already, but not at this size.
                warm_up=False,
            )
        )
        return count / max((result.prompt_s if reads else result.generate_s)[0], 1e-9)


def with_value(settings: EngineSettings, name: str, value: int) -> EngineSettings:
    """Settings with one value changed; a batch is never smaller than its micro-batch."""
    if name == "n_ubatch":
        return replace(settings, n_ubatch=value, n_batch=max(settings.n_batch, value))
    return replace(settings, **{name: value})


def best_value(medians: dict[int, float]) -> int:
    """The smallest value that is nearly as fast as the fastest: it takes the least memory."""
    fastest = max(medians.values())
    return min(value for value, speed in medians.items() if speed * _WORTH >= fastest)


def thread_candidates() -> list[int]:
    """Half of the cores, all of them, and two threads on each where that is more."""
    cores = default_threads().count
    most = max(cores, min(2 * cores, os.cpu_count() or cores))
    return sorted({max(1, cores // 2), cores, most})
