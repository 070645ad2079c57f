"""Looks at the worker once a second: does it start, does it hear, does it say anything?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from engine.worker.client import WorkerClient
    from engine.worker.silence import SilenceWatch

START_TIMEOUT_S = 60.0
_LOOK_MS = 1000


class EngineWatch(QObject):
    """Watches one worker at a time, while there is one. Main thread.

    Attributes:
        request_id: What the worker is busy with; 0 for nothing.
        is_starting: Whether it has not greeted yet.

    Signals:
        fell_silent(Problem): No sign of life for long; it may recover.
        fell_deaf(): It does not hear that its request was cancelled.
    """

    fell_silent = Signal(object)
    fell_deaf = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.request_id = 0
        self.is_starting = False
        self._client: WorkerClient | None = None
        self._silence: SilenceWatch | None = None
        self._started_s = 0.0
        self._cancelled: tuple[int, float] = (0, 0.0)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._on_tick)

    def begin(self, client: WorkerClient) -> None:
        """A worker was started."""
        # With the first worker: it brings sockets, which a start does without.
        from engine.worker.silence import SilenceWatch

        self._client, self._silence = client, SilenceWatch(client)
        self._started_s = time.monotonic()
        self._timer.start()

    def end(self) -> None:
        """There is no worker any more."""
        self._client = self._silence = None
        self._timer.stop()

    def note_cancel(self) -> None:
        """The worker was told to stop what it is busy with."""
        if self._cancelled[0] != self.request_id:
            self._cancelled = self.request_id, time.monotonic()

    def _on_tick(self) -> None:
        from engine.worker.silence import is_deaf

        if self._client is None or self._silence is None:
            return
        request_id, cancelled_s = self._cancelled
        if self.is_starting:
            if time.monotonic() - self._started_s > START_TIMEOUT_S:
                self._client.stop(cause="worker.start_timeout", grace_s=0)
        elif not self.request_id:
            return
        elif request_id == self.request_id and is_deaf(self._client, cancelled_s):
            self.fell_deaf.emit()
        elif (problem := self._silence.look()) is not None:
            self.fell_silent.emit(problem)
