"""Tries sizes and thread counts on this machine and says which are best, at which cost.

All candidates of a setting take turns, as in any benchmark, so that other work on the machine is
shared. Reading decides the micro-batch and its threads, writing the other threads. A value that
ends the engine is left out, and the others are timed in a new one.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.bench.contest import Contest
from engine.errors import UserError
from engine.llama.threads import default_threads
from engine.settings import GenerationSettings, changed
from engine.worker.protocol import Bench, new_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.bench.contest import Tried
    from engine.bench.worker import MeasuringWorker
    from engine.settings import EngineSettings
    from engine.worker.protocol import Loaded

# A CPU is busy with few tokens; a GPU is not. As many are read as the largest size holds.
_SIZES_CPU = (64, 128, 256, 512)
_SIZES_GPU = (256, 512, 1024, 2048, 4096)
READ_TOKENS = 4096
WRITTEN_TOKENS = 48
_GREEDY = GenerationSettings(temperature=0.0)


@dataclass(frozen=True, slots=True)
class TuneProgress:
    """What is timed now, and what came so far.

    Attributes:
        turn: Which round of all values of the setting this is; 0 is the one that warms up.
        turns: How many rounds count.
        fraction: How much is done, 0 to 1.
        tried: Every value that is tried, also those without a figure yet.
    """

    setting: str
    value: int
    turn: int
    turns: int
    fraction: float
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came of it.

    Attributes:
        settings: The settings it began with, with the best values.
        change: The values that differ from what it began with.
        best: The best value of every setting tried; 0 where that is what ``auto`` comes to.
        indistinct: Settings whose value stays, as no other is better beyond the noise.
        compute_before_bytes: Compute buffers with the settings it began with.
        compute_after_bytes: The same with the best values.
    """

    settings: EngineSettings
    change: dict[str, int]
    best: dict[str, int]
    indistinct: tuple[str, ...]
    tried: tuple[Tried, ...]
    compute_before_bytes: int
    compute_after_bytes: int
    loaded: Loaded


class Tuner:
    """Tries settings in a worker of the caller's, one setting after the other.

    Args:
        repetitions: How often each value is timed, after a round that warms up.
        budget_s: Seconds for one setting, roughly: a slow machine repeats less, and where the
            first round alone takes longer, that one counts. None repeats whatever it takes.
        shares: What a layer split without a ratio divides by: that of the plan.
        progress: Told before each value that is timed.
    """

    def __init__(
        self,
        worker: MeasuringWorker,
        *,
        repetitions: int = 5,
        budget_s: float | None = None,
        shares: tuple[int, ...] = (),
        progress: Callable[[TuneProgress], None] = lambda _progress: None,
    ) -> None:
        self._worker = worker
        self._repetitions = repetitions
        self._budget_s = budget_s
        self._shares = shares
        self._progress = progress
        self._read_tokens = 0
        self._contests: list[Contest] = []
        # Of the settings that are still to come, all rounds.
        self._steps_done = self._steps_left = 0

    def run(self, settings: EngineSettings) -> Tuning:
        """Do it.

        Raises:
            UserError: The model cannot be loaded with these settings, or nothing could be measured.
        """
        begun_with = settings
        before = self._load(settings)
        self._contests = contests = self._worth_trying(before)
        self._steps_left = sum(len(one.values) * (self._repetitions + 1) for one in contests)
        for contest in contests:
            settings = self._decide(contest, settings)
        if all(contest.best is None for contest in contests):
            raise UserError.of(contests[0].refused[contests[0].values[0]])
        after = self._load_again(settings)
        return Tuning(
            settings=settings,
            change={name: getattr(settings, name) for name in changed(begun_with, settings)},
            best={one.setting: getattr(settings, one.setting) for one in contests},
            indistinct=tuple(one.setting for one in contests if one.is_indistinct),
            tried=self._tried(),
            compute_before_bytes=_compute_bytes(before),
            compute_after_bytes=_compute_bytes(after),
            loaded=after,
        )

    def _load(self, settings: EngineSettings) -> Loaded:
        return self._worker.load(settings, shares=self._shares)

    def _load_again(self, settings: EngineSettings) -> Loaded:
        """Load what was loaded before; a process that died in the meantime is replaced once."""
        try:
            return self._load(settings)
        except UserError:
            if not self._worker.replace_dead():
                raise
            return self._load(settings)

    def _tried(self) -> tuple[Tried, ...]:
        return tuple(row for contest in self._contests for row in contest.rows())

    def _worth_trying(self, loaded: Loaded) -> list[Contest]:
        """What is worth trying with this model where it lies."""
        settings, context = loaded.settings, loaded.context
        on_cpu = all(device.kind == "cpu" for device in context.devices)
        most = context.n_ctx - 2
        sizes = [size for size in (_SIZES_CPU if on_cpu else _SIZES_GPU) if size <= most] or [most]
        if sizes[0] <= settings.n_ubatch <= sizes[-1]:
            # What is set now is worth a comparison, also where it is an odd number.
            sizes = sorted({*sizes, settings.n_ubatch})
        self._read_tokens = sizes[-1]
        contests = [Contest("n_ubatch", sizes, reads=True)]
        in_part = 0 <= settings.n_gpu_layers <= loaded.model.n_layer or settings.n_cpu_moe > 0
        if on_cpu or in_part:
            for name, own in (
                ("n_threads_batch", settings.n_threads_batch),
                ("n_threads", settings.n_threads),
            ):
                counts = sorted({*thread_candidates(), *([own] if own else [])})
                contests.append(Contest(name, counts, reads=name == "n_threads_batch"))
        return contests

    def _decide(self, contest: Contest, settings: EngineSettings) -> EngineSettings:
        """Time the values of a setting in turn; the settings with the best of them."""
        began_s = time.monotonic()
        self._round(contest, settings, 0, self._repetitions)
        turns = self._turns(time.monotonic() - began_s)
        self._steps_left -= (self._repetitions - turns) * len(contest.values)
        # The first round warms up, and counts only where there is no time for another.
        if turns:
            contest.forget_samples()
        for turn in range(1, turns + 1):
            self._round(contest, settings, turn, turns)
        own = getattr(settings, contest.setting)
        best = contest.decide(own or default_threads().count)
        if best is None or (own == 0 and best == default_threads().count):
            # Left open it comes to the same, also when the machine changes.
            return settings
        return with_value(settings, contest.setting, best)

    def _turns(self, first_s: float) -> int:
        """How often each value is timed, as a whole round of them took so long."""
        if self._budget_s is None:
            return self._repetitions
        return min(self._repetitions, int(self._budget_s / max(first_s, 1e-3)))

    def _round(self, contest: Contest, settings: EngineSettings, turn: int, turns: int) -> None:
        for value in contest.values:
            steps = self._steps_done + self._steps_left
            self._progress(
                TuneProgress(
                    setting=contest.setting,
                    value=value,
                    turn=turn,
                    turns=turns,
                    fraction=self._steps_done / steps if steps else 1.0,
                    tried=self._tried(),
                )
            )
            if value not in contest.refused:
                self._time(contest, settings, value)
            self._steps_done += 1
            self._steps_left -= 1

    def _time(self, contest: Contest, settings: EngineSettings, value: int) -> None:
        try:
            loaded = self._load(with_value(settings, contest.setting, value))
            speed = self._tokens_per_second(reads=contest.reads)
        except UserError as error:
            # What the engine refuses, or dies of, with one value may go with the next.
            if self._worker.replace_dead():
                contest.deaths.add(value)
            elif not error.code.startswith("engine."):
                raise
            contest.refused[value] = error.problem
        else:
            contest.note(value, speed, _compute_bytes(loaded))

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


def with_values(settings: EngineSettings, best: Mapping[str, int]) -> EngineSettings:
    """Settings with all of the best values, as `Tuning.best` holds them."""
    for name, value in best.items():
        settings = with_value(settings, name, value)
    return settings


def thread_candidates() -> list[int]:
    """Half of the cores, all of them, and two threads on each where that is more."""
    cores = default_threads().count
    most = max(cores, min(2 * cores, os.cpu_count() or cores))
    return sorted({max(1, cores // 2), cores, most})


def _compute_bytes(loaded: Loaded) -> int:
    return sum(row.compute_bytes for row in loaded.context.memory)
