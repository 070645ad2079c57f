"""The instruments: the telemetry thread's snapshots and the engine's speed, for the pane."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.session import State
from engine.telemetry.sampler import Sampler
from engine.worker.protocol import Delta, PrefillProgress
from widgets.engine_pane.viewdata import SpeedSample

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from engine.telemetry.snapshot import Snapshot
    from widgets.tick import RepaintTick

_SPEED_INTERVAL_MS = 200
_LATE_AFTER_S = 1.0


class Instruments(QObject):
    """Owns the sampler thread. Main thread; snapshots arrive as a queued signal.

    Signals:
        snapshot_taken(Snapshot)
        speed_read(SpeedSample): While the engine loads, reads or writes.
    """

    snapshot_taken = Signal(object)
    speed_read = Signal(object)
    _came = Signal(object)

    def __init__(
        self,
        engine: EngineController,
        tick: RepaintTick,
        *,
        hz: float = 4.0,
        parent: QObject | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            engine: Whose speed is told, and whose memory is not another program's.
            tick: Knows whether the window can be seen.
            hz: Readings per second.
            parent: Owner.
        """
        super().__init__(parent)
        self._engine = engine
        self._rate: float | None = None
        self._rate_at_s = 0.0
        # How far the reply was at the last two events: where the next one is late, it is no faster.
        self._done_tokens = 0
        self._step_tokens = 1
        self._planner_pid: int | None = None
        self._came.connect(self._on_snapshot)
        self.sampler = Sampler(hz=hz, on_snapshot=self._pass_on)
        self._speed_timer = QTimer(self)
        self._speed_timer.setInterval(_SPEED_INTERVAL_MS)
        self._speed_timer.timeout.connect(self._on_speed_tick)
        engine.reply_event.connect(self._on_reply_event)
        engine.session_changed.connect(lambda _session: self._follow())
        tick.visible_changed.connect(self._on_visible_changed)
        self._on_visible_changed(tick.is_running)

    def start(self) -> None:
        """Begin to read."""
        self.sampler.start()

    def set_planner_pid(self, pid: int | None) -> None:
        """The planner's memory is this app's own, not another program's."""
        self._planner_pid = pid
        self._follow()

    def stop(self) -> None:
        """End the thread; for the end of the app."""
        self._speed_timer.stop()
        self.sampler.stop()

    def _on_visible_changed(self, visible: bool) -> None:
        """Read only while somebody can look."""
        if visible:
            self.sampler.resume()
        else:
            self.sampler.pause()

    def _pass_on(self, snapshot: Snapshot) -> None:
        # On the sampler's thread.
        try:
            self._came.emit(snapshot)
        except RuntimeError:
            return

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot_taken.emit(snapshot)

    def _follow(self) -> None:
        pids = (self._engine.pid, self._planner_pid)
        self.sampler.set_own_pids([pid for pid in pids if pid])
        busy = self._engine.session.state in (State.LOADING, State.READING, State.WRITING)
        if busy and not self._speed_timer.isActive():
            self._speed_timer.start()
        elif not busy and self._speed_timer.isActive():
            self._speed_timer.stop()
            self.speed_read.emit(SpeedSample(at_s=time.monotonic(), phase="idle"))
        if not self._engine.session.is_answering:
            self._rate = None

    def _on_reply_event(self, event: object) -> None:
        if isinstance(event, PrefillProgress | Delta) and event.tokens_per_second is not None:
            self._step_tokens = step_of(event, self._done_tokens)
            self._done_tokens = _done(event)
            self._rate = event.tokens_per_second
            self._rate_at_s = time.monotonic()

    def _on_speed_tick(self) -> None:
        now = time.monotonic()
        rate = bounded_rate(self._rate, self._step_tokens, now - self._rate_at_s)
        match self._engine.session.state:
            case State.LOADING:
                self.speed_read.emit(SpeedSample(at_s=now, phase="load"))
            case State.READING:
                self.speed_read.emit(SpeedSample(at_s=now, phase="read", tokens_per_second=rate))
            case State.WRITING:
                self.speed_read.emit(SpeedSample(at_s=now, phase="write", tokens_per_second=rate))


def _done(event: PrefillProgress | Delta) -> int:
    return event.done if isinstance(event, PrefillProgress) else event.completion_tokens


def step_of(event: PrefillProgress | Delta, done_before: int) -> int:
    """How many tokens came with an event, or at most come with the next one."""
    if isinstance(event, PrefillProgress) and event.done <= event.cached:
        # Reading begins. How much of it the first step reads is not known yet.
        return event.total - event.done
    return max(1, _done(event) - done_before)


def bounded_rate(rate: float | None, step_tokens: int, waited_s: float) -> float | None:
    """Tokens per second while the next ones are awaited: no more than one step in that time.

    The engine tells its speed with each step. On a busy machine a step takes seconds, in which the
    last word on it must not stand as if nothing had happened, nor be missing: the line of the plot
    would fall into dashes.

    Args:
        rate: As told last.
        step_tokens: How many came with it, or where none did, how many may come at once.
        waited_s: Seconds since then.
    """
    if rate is None or waited_s < _LATE_AFTER_S:
        return rate
    return min(rate, step_tokens / waited_s)
