"""Carries a worker's callbacks from its threads to the Qt main thread, as signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.worker.client import WorkerClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.worker.death import WorkerExit
    from engine.worker.protocol import Event


class WorkerBridge(QObject):
    """Owns one `WorkerClient`. Lives on the main thread; receivers get queued calls.

    Signals:
        event_arrived(Event): In the order the worker sent them.
        ended(WorkerExit): Once, after the last event.
        logged(str): A line of llama.cpp's log.
    """

    event_arrived = Signal(object)
    ended = Signal(object)
    logged = Signal(str)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.client = WorkerClient(
            on_event=self._event_came,
            on_exit=self._exit_came,
            on_log=self._log_came,
            command=command,
            env=env,
        )

    # These run on the client's threads: emitting is all they may do.

    def _event_came(self, event: Event) -> None:
        self._emit(self.event_arrived, event)

    def _exit_came(self, ended: WorkerExit) -> None:
        self._emit(self.ended, ended)

    def _log_came(self, line: str) -> None:
        self._emit(self.logged, line)

    @staticmethod
    def _emit(signal: object, value: object) -> None:
        try:
            signal.emit(value)  # type: ignore[attr-defined]
        except RuntimeError:
            # The window closed and Qt freed this object while the worker was still ending.
            return
