"""One measurement of the best sizes and thread counts, in a worker process of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.bench.tune import Tuner
from engine.bench.worker import MeasuringWorker
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.hop import MainThread
    from engine.bench.tune import TuneProgress, Tuning
    from engine.settings import EngineSettings

# A worker that was asked to leave has been killed by then.
_RELEASED_S = 15.0
_ENDED_S = 15.0


class MeasuringRun:
    """Owns the worker and the thread that waits for it. Main thread; so are its callbacks.

    Args:
        settings: What to begin with.
        shares: What a layer split without a ratio divides by.
        repetitions, budget_s: As for `engine.bench.tune.Tuner`.
        on_progress: Told before each value, unless it was stopped.
        on_ended: Told once, when the worker is gone, what came of it or why nothing did; None when
            it was stopped.
        on_log: A line of the worker's log.
        command, env: For another worker than the real one.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        shares: tuple[int, ...],
        repetitions: int,
        budget_s: float,
        hop: MainThread,
        on_progress: Callable[[TuneProgress], None],
        on_ended: Callable[[Tuning | Problem | None], None],
        on_log: Callable[[str], None],
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._shares = shares
        self._repetitions, self._budget_s = repetitions, budget_s
        self._hop = hop
        self._on_progress, self._on_ended = on_progress, on_ended
        self._is_free: Callable[[float], bool] = lambda _timeout_s: True
        self._stopped = threading.Event()
        self._worker = MeasuringWorker(
            on_log=lambda line: hop.post(lambda: on_log(line)), command=command, env=env
        )
        self._thread = threading.Thread(target=self._run, name="measuring", daemon=True)

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._worker.pid

    def start(self, is_free: Callable[[float], bool]) -> None:
        """Begin.

        Args:
            is_free: Waits, at most as many seconds, for the process whose memory is needed.
        """
        self._is_free = is_free
        self._thread.start()

    def stop(self) -> None:
        """End it, wherever it is; returns at once."""
        self._stopped.set()
        self._worker.stop()

    def join(self) -> None:
        """Wait for the end of the worker; after `stop`."""
        self._thread.join(_ENDED_S)

    # ---- on the thread

    def _run(self) -> None:
        self._is_free(_RELEASED_S)
        outcome: Tuning | Problem | None = Problem(code="worker.bug")
        try:
            outcome = self._measure()
        except UserError as error:
            outcome = error.problem
        finally:
            self._hop.post(lambda: self._on_ended(None if self._stopped.is_set() else outcome))

    def _measure(self) -> Tuning | None:
        if self._stopped.is_set():
            return None
        with self._worker as worker:
            tuner = Tuner(
                worker,
                repetitions=self._repetitions,
                budget_s=self._budget_s,
                shares=self._shares,
                progress=self._tell,
            )
            return tuner.run(self._settings)

    def _tell(self, now: TuneProgress) -> None:
        self._hop.post(lambda: None if self._stopped.is_set() else self._on_progress(now))
