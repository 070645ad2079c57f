"""A worker to measure with, in whose place another one can come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from engine.settings import EngineSettings
    from engine.worker.protocol import Bench, BenchResult, Loaded


class MeasuringWorker:
    """A context manager; its calls wait. `stop` may be called from any thread.

    Raises:
        UserError: From every call: the request failed, the worker died or was stopped.
    """

    def __init__(
        self,
        *,
        on_log: Callable[[str], None] = lambda _line: None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._on_log, self._command, self._env = on_log, command, env
        self._is_stopped = False
        self._worker = self._made()

    def __enter__(self) -> MeasuringWorker:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.__exit__(kind, error, trace)

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._worker.client.pid

    def stop(self) -> None:
        """End it, and start no other; returns at once."""
        self._is_stopped = True
        # There is nothing in it that would be worth a farewell.
        self._worker.client.stop(grace_s=0)

    def replace_dead(self) -> bool:
        """Start another one, without a model, if this one died. Whether it had."""
        if self.pid is not None or self._is_stopped:
            return False
        self._worker.__exit__(None, None, None)
        self._worker = self._made()
        self._start()
        return True

    def load(self, settings: EngineSettings, *, shares: tuple[int, ...] = ()) -> Loaded:
        """Load a model. `shares` are those of its plan."""
        return self._worker.load(settings, shares=shares)

    def bench(self, command: Bench) -> BenchResult:
        """Time prefill and decode."""
        return self._worker.bench(command)

    def _made(self) -> BlockingWorker:
        return BlockingWorker(on_log=self._on_log, command=self._command, env=self._env)

    def _start(self) -> None:
        if not self._is_stopped:
            self._worker.__enter__()
        if self._is_stopped:
            # It may have been told while there was no process that could have been ended.
            self._worker.client.stop(grace_s=0)
            raise UserError("worker.gone")
