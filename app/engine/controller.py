"""Owns the worker process and the session; everything that is asked of the engine goes through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app import session as sessions
from app.session import Session, State
from engine.errors import Problem
from engine.settings.safe import safe_settings
from engine.worker.protocol import (
    PROTOCOL_VERSION,
    Count,
    Counted,
    Eject,
    Failed,
    Forget,
    Generate,
    Hello,
    Load,
    Measure,
    Measured,
    new_request_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.engine.bridge import WorkerBridge
    from engine.settings import EngineSettings, GenerationSettings
    from engine.worker.death import WorkerExit
    from engine.worker.protocol import Event, Prompt

# A slice of prefill is asked to take 0.3 s; this much silence is a hang or a machine in trouble.
SILENCE_S = 30.0
START_TIMEOUT_S = 60.0
# Between two looks at a cancel lies a slice of prefill or a token; what takes longer hangs.
CANCEL_S = 15.0


class EngineController(QObject):
    """The engine, for the window. Lives on the main thread and never waits.

    A worker is started by the first load and stays when its model is ejected. When it dies the
    session says why, and `restart` begins again with the same settings.

    Attributes:
        command, env: What is started as a worker, and additions to its environment; None for the
            real one.
        planned_shares: Tells how the plan of some settings divides a layer split without a ratio.

    Signals:
        session_changed(Session): After every change.
        reply_event(PrefillProgress | Delta | Finished | Failed): Of the reply in progress.
        measured(Measured), counted(Counted): Answers.
        question_failed(Failed): A measure or count that failed.
        load_failed(Problem): A load that was not cancelled by the user.
        died(Problem): The worker ended by itself.
        reply_lost(Problem): The reply in progress is over without a `Finished` or `Failed`: the
            worker died or was restarted, or another model is loaded.
        fell_silent(Problem): No sign of life for long; it may recover.
        logged(str): A log line.
    """

    session_changed = Signal(object)
    reply_event = Signal(object)
    measured = Signal(object)
    counted = Signal(object)
    question_failed = Signal(object)
    load_failed = Signal(object)
    died = Signal(object)
    reply_lost = Signal(object)
    fell_silent = Signal(object)
    logged = Signal(str)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.command, self.env = command, env
        self.planned_shares: Callable[[EngineSettings], tuple[int, ...]] = lambda _settings: ()
        self._bridge: WorkerBridge | None = None
        self._retired: list[WorkerBridge] = []
        self._session = Session()
        self._pending_load: Load | None = None
        self._started_s = 0.0
        self._cancelled: tuple[int, float] = (0, 0.0)
        self._told_silent = False
        self._watchdog = QTimer(self)
        self._watchdog.setInterval(1000)
        self._watchdog.timeout.connect(self._on_watchdog_tick)

    @property
    def session(self) -> Session:
        """The state now."""
        return self._session

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._bridge.client.pid if self._bridge else None

    # ---- asking

    def load(self, settings: EngineSettings) -> None:
        """Load a model, or apply changed settings; starts a worker when there is none."""
        shares = self.planned_shares(settings)
        command = Load(request_id=new_request_id(), settings=settings, shares=shares)
        if self._bridge is None and not self._start(settings):
            return
        before = self._session
        if before.is_answering:
            self.cancel()
        self._set(sessions.loading(before, command.request_id, settings))
        self._end_reply(before, Problem(code="worker.reloaded"))
        if self._bridge is not None:
            held = before.loaded.settings.all_devices if before.loaded is not None else ()
            self._bridge.client.devices = (*held, *settings.all_devices)
        if self._session.state is State.STARTING:
            self._pending_load = command
        else:
            self._send(command)

    def cancel(self) -> None:
        """Stop the load or the reply in progress.

        A worker that does not hear of it, and says nothing, is ended and started again.
        """
        if self._session.state is State.STARTING:
            self._pending_load = None
            self._set(sessions.died(self._session, None))
            self._retire(cause="")
        elif self._session.request_id and self._bridge:
            self._bridge.client.cancel(self._session.request_id)
            if self._cancelled[0] != self._session.request_id:
                self._cancelled = self._session.request_id, time.monotonic()

    def eject(self) -> None:
        """Free the model."""
        if self._session.state is State.READY:
            command = Eject(request_id=new_request_id())
            self._set(sessions.ejecting(self._session, command.request_id))
            self._send(command)

    def release(self) -> Callable[[float], bool]:
        """End the worker for somebody who needs all of its memory, the device's runtime included.

        The session keeps what was wanted, and the next load starts a worker again.

        Returns:
            Waits for the end, at most as many seconds, and tells whether it has come; for a thread
            that may wait.
        """
        bridge = self._bridge
        self._set(sessions.died(self._session, None))
        self._retire(cause="")
        return bridge.client.join if bridge is not None else lambda _timeout_s: True

    def restart(self, *, safe: bool = False) -> None:
        """Start again with the last settings, or with cautious ones; also out of a hang."""
        before, wanted = self._session, self._session.wanted
        self._set(sessions.died(before, None))
        self._end_reply(before, Problem(code="worker.hung", params={"phase": before.phase}))
        self._retire(cause="worker.hung")
        if wanted is not None:
            self.load(safe_settings(wanted) if safe else wanted)

    def generate(self, prompt: Prompt, generation: GenerationSettings) -> int:
        """Send a question; its request id. Only when `session.can_answer`."""
        command = Generate(request_id=new_request_id(), prompt=prompt, generation=generation)
        self._set(sessions.answering(self._session, command.request_id))
        self._send(command)
        return command.request_id

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> int:
        """Ask what a request would hold; 0 when there is no model to ask."""
        if self._session.loaded is None:
            return 0
        command = Measure(request_id=new_request_id(), prompt=prompt, generation=generation)
        self._send(command)
        return command.request_id

    def count(self, texts: tuple[str, ...]) -> int:
        """Ask for token counts; 0 when there is no model to ask."""
        if self._session.loaded is None:
            return 0
        command = Count(request_id=new_request_id(), texts=texts)
        self._send(command)
        return command.request_id

    def forget(self, chat_id: str) -> None:
        """Drop the KV state of a chat that was deleted."""
        if self._session.loaded is not None:
            self._send(Forget(chat_id=chat_id))

    def shutdown(self, timeout_s: float = 6.0) -> None:
        """End the worker and wait for it, within bounds; for the end of the app."""
        self._watchdog.stop()
        self._retire(cause="")
        for bridge in self._retired:
            bridge.client.join(timeout_s)

    # ---- the worker

    def _start(self, wanted: EngineSettings) -> bool:
        """Start a worker; False when that is not possible, which has been said then."""
        # Needed with the first worker: it brings processes and sockets, which a start does without.
        from app.engine.bridge import WorkerBridge

        bridge = WorkerBridge(self, command=self.command, env=self.env)
        bridge.event_arrived.connect(lambda event: self._on_event(bridge, event))
        bridge.ended.connect(lambda ended: self._on_ended(bridge, ended))
        bridge.logged.connect(self.logged)
        self._bridge = bridge
        self._started_s = time.monotonic()
        self._told_silent = False
        self._set(sessions.starting(self._session, wanted))
        try:
            bridge.client.start()
        except OSError as error:
            self._bridge = None
            problem = Problem(code="worker.start_failed", params={"reason": str(error)})
            self._lose(problem)
            return False
        self._watchdog.start()
        return True

    def _send(self, command: Load | Eject | Generate | Measure | Count | Forget) -> None:
        if self._bridge is not None:
            self._bridge.client.send(command)

    def _retire(self, *, cause: str) -> None:
        """Let go of the worker: whatever it still says is not heard."""
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            self._retired.append(bridge)
            bridge.client.stop(cause=cause, grace_s=0 if cause else 2.0)

    def _on_event(self, bridge: WorkerBridge, event: Event) -> None:
        if bridge is not self._bridge:
            return
        self._told_silent = False
        before = self._session
        if isinstance(event, Hello) and not self._greet(event):
            return
        self._set(sessions.advance(before, event))
        self._pass_on(before, event)

    def _greet(self, hello: Hello) -> bool:
        if hello.protocol_version != PROTOCOL_VERSION:
            self._retire(cause="worker.other_version")
            params: dict[str, str | int | float] = {
                "theirs": hello.protocol_version,
                "ours": PROTOCOL_VERSION,
            }
            self._lose(Problem(code="worker.other_version", params=params))
            return False
        command, self._pending_load = self._pending_load, None
        if command is not None:
            self._send(command)
        return True

    def _pass_on(self, before: Session, event: Event) -> None:
        match event:
            case Measured():
                self.measured.emit(event)
            case Counted():
                self.counted.emit(event)
            case Failed() if event.request_id == before.request_id and before.is_answering:
                self.reply_event.emit(event)
            case Failed() if event.request_id == before.request_id:
                if event.problem.code != "worker.cancelled":
                    self.load_failed.emit(event.problem)
            case Failed():
                self.question_failed.emit(event)
            case _ if before.is_answering and hasattr(event, "request_id"):
                if event.request_id == before.request_id:
                    self.reply_event.emit(event)

    def _on_ended(self, bridge: WorkerBridge, ended: WorkerExit) -> None:
        if bridge in self._retired:
            self._retired.remove(bridge)
        bridge.deleteLater()
        if bridge is not self._bridge:
            return
        self._bridge = None
        before = self._session
        if ended.lost_node and before.state is State.LOADING and before.loaded and before.wanted:
            # It could not let go of a model on a node that is gone, and that was all it lost.
            self._set(sessions.died(before, None))
            self.load(before.wanted)
            return
        from engine.worker.death import explain

        problem = explain(ended)
        if problem is not None:
            self._lose(problem)
        else:
            self._set(sessions.died(self._session, None))

    def _lose(self, problem: Problem) -> None:
        before, self._pending_load = self._session, None
        self._set(sessions.died(before, problem))
        self._end_reply(before, problem)
        self.died.emit(problem)

    def _end_reply(self, before: Session, problem: Problem) -> None:
        if before.is_answering:
            self.reply_lost.emit(problem)

    def _set(self, session: Session) -> None:
        if session is self._session:
            return
        self._session = session
        if self._bridge is not None:
            self._bridge.client.phase = session.phase
        self.session_changed.emit(session)

    # ---- watchdog

    def _on_watchdog_tick(self) -> None:
        if self._bridge is None:
            self._watchdog.stop()
            return
        if self._session.state is State.STARTING:
            if time.monotonic() - self._started_s > START_TIMEOUT_S:
                self._bridge.client.stop(cause="worker.start_timeout", grace_s=0)
            return
        if self._does_not_stop:
            self.restart()
            return
        busy = self._session.request_id != 0
        if busy and not self._told_silent and self._bridge.client.silent_s > SILENCE_S:
            self._told_silent = True
            params: dict[str, str | int | float] = {
                "seconds": int(SILENCE_S),
                "phase": self._session.phase,
            }
            self.fell_silent.emit(Problem(code="worker.silent", params=params))

    @property
    def _does_not_stop(self) -> bool:
        """Whether a reply was cancelled long ago, and nothing was heard of it since."""
        request_id, since_s = self._cancelled
        if self._bridge is None or not self._session.is_answering:
            return False
        silent_s = min(self._bridge.client.silent_s, time.monotonic() - since_s)
        return request_id == self._session.request_id and silent_s > CANCEL_S
