"""Runs a plan: every repetition of a test goes once round all contenders."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.bench.peers import PEERS, PeerProcess
from engine.bench.statistics import run_of
from engine.bench.talk import Setup
from engine.errors import Problem, UserError
from engine.worker.protocol import Bench, new_request_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.bench.plan import Contender, Mode, Plan, Trial
    from engine.bench.statistics import Run
    from engine.worker.protocol import Loaded
    from engine.worker.session import BlockingWorker


@dataclass(frozen=True, slots=True)
class Missing:
    """A peer that has no figures, from some test on.

    Attributes:
        test: The first test without a figure of it, as tables name it.
        has_figures: Whether it has some of the tests before.
        problem: Why; its parameter ``reason`` says so in a few words.
    """

    mode: Mode
    test: str
    has_figures: bool
    problem: Problem

    @property
    def words(self) -> str:
        """What stands in the place of its figures."""
        begins = "could not go on" if self.has_figures else "could not run"
        return f"{begins}: {self.problem.params.get('reason', self.problem.message)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan came to.

    Attributes:
        runs: One per test and contender, in the order of the plan.
        versions: What the peers call themselves, by mode.
        missing: The peers that could not run.
        worker_rss_bytes: Memory of the product's worker after the last test.
    """

    runs: tuple[Run, ...]
    versions: dict[str, str]
    missing: tuple[Missing, ...]
    worker_rss_bytes: int


class Runner:
    """Owns the peers' processes while it runs; the worker is the caller's, with the model loaded.

    Args:
        progress: Told in words what is timed now.
        on_problem: Told at once why a peer drops out.
    """

    def __init__(
        self,
        worker: BlockingWorker,
        loaded: Loaded,
        *,
        progress: Callable[[str], None] = lambda _text: None,
        on_problem: Callable[[Problem], None] = lambda _problem: None,
    ) -> None:
        self._worker = worker
        self._loaded = loaded
        self._progress = progress
        self._on_problem = on_problem
        self._peers: dict[Mode, PeerProcess] = {}
        self._missing: list[Missing] = []
        # Who has figures of some test.
        self._timed: set[Mode] = set()
        self._rss_bytes = 0
        self._on_cpu = all(device.kind == "cpu" for device in loaded.context.devices)

    def run(self, plan: Plan) -> Outcome:
        """Do it. A peer that does not start, or fails in the middle, drops out; the others go on.

        Raises:
            UserError: A test does not fit or was cancelled.
        """
        versions: dict[str, str] = {}
        with ExitStack() as stack:
            for contender in plan.contenders:
                if contender.mode in PEERS:
                    self._progress(f"starting {contender.mode}")
                    try:
                        versions[contender.mode] = self._start(contender, stack)
                    except UserError as error:
                        self._drop(contender.mode, plan.trials[0], error.problem)
            runs = [run for trial in plan.trials for run in self._trial(trial, plan)]
        return Outcome(tuple(runs), versions, tuple(self._missing), self._rss_bytes)

    def _start(self, contender: Contender, stack: ExitStack) -> str:
        """Let a peer load the model; its version."""
        with ExitStack() as opening:
            peer = opening.enter_context(PeerProcess(contender.mode, on_cpu=self._on_cpu))
            version = peer.set_up(self._setup(contender))
            stack.push(opening.pop_all())
        self._peers[contender.mode] = peer
        return version

    def _drop(self, mode: Mode, trial: Trial, problem: Problem) -> None:
        # Its copy of the model would only be in the way of the others.
        peer = self._peers.pop(mode, None)
        if peer is not None:
            peer.close()
        has_figures = mode in self._timed
        self._missing.append(Missing(mode, trial.name, has_figures, problem))
        self._on_problem(problem)

    def _trial(self, trial: Trial, plan: Plan) -> list[Run]:
        seconds = {each: list[float]() for each in plan.contenders if self._takes(each, trial)}
        # Round 0 warms up caches and kernels, reads up to the depth, and does not count.
        for turn in range(plan.repetitions + 1):
            for contender in list(seconds):
                self._progress(f"{trial.name}: {contender.label}, {turn} of {plan.repetitions}")
                taken = self._time(trial, contender)
                if taken is None:
                    del seconds[contender]
                elif turn:
                    seconds[contender].append(taken)
        self._timed.update(contender.mode for contender in seconds)
        return [run_of(trial, contender, times) for contender, times in seconds.items()]

    def _takes(self, contender: Contender, trial: Trial) -> bool:
        is_peer = contender.mode in PEERS
        return contender.takes(trial) and (not is_peer or contender.mode in self._peers)

    def _time(self, trial: Trial, contender: Contender) -> float | None:
        """Seconds of one repetition; None for a peer that has just dropped out."""
        peer = self._peers.get(contender.mode)
        if peer is None:
            return self._time_worker(trial, contender)
        try:
            return peer.time(trial)
        except UserError as error:
            self._drop(contender.mode, trial, error.problem)
            return None

    def _time_worker(self, trial: Trial, contender: Contender) -> float:
        reads = trial.kind == "pp"
        result = self._worker.bench(
            Bench(
                request_id=new_request_id(),
                n_prompt=trial.n if reads else 0,
                n_generate=0 if reads else trial.n,
                depth=trial.depth,
                repetitions=1,
                generation=contender.generation,
                raw=contender.mode == "raw",
                warm_up=False,
                keep_depth=True,
            )
        )
        self._rss_bytes = result.worker_rss_bytes
        return (result.prompt_s if reads else result.generate_s)[0]

    def _setup(self, contender: Contender) -> Setup:
        loaded, context = self._loaded, self._loaded.context
        return Setup(
            settings=replace(
                loaded.settings,
                n_gpu_layers=0 if self._on_cpu else loaded.settings.n_gpu_layers,
                n_ctx=context.n_ctx,
                n_batch=context.n_batch,
                n_ubatch=context.n_ubatch,
            ),
            generation=contender.generation,
            n_threads=context.n_threads,
            n_threads_batch=context.n_threads_batch,
            n_vocab=loaded.model.n_vocab,
            flash_attn=context.flash_attn is not False,
        )
