"""Owns the worker process and the session; everything that is asked of the engine goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app import session as sessions
from app.engine.resumption import Resumption
from app.engine.watching import EngineWatch
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
        came_back(Problem): The worker ended with a node that was started anew; the model is loaded
            again, and what was asked and not begun to be answered is asked again.
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
    came_back = Signal(object)
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
        self._resumption = Resumption()
        self._watch = EngineWatch(self)
        self._watch.fell_silent.connect(self.fell_silent)
        self._watch.fell_deaf.connect(self.restart)

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
        self._give_up_waiting(Problem(code="worker.reloaded"))
        self._load(settings)

    def _load(self, settings: EngineSettings) -> None:
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
        if self._resumption.waiting is not None:
            self._give_up_waiting(Problem(code="worker.reloaded"))
        elif self._session.state is State.STARTING:
            self._pending_load = None
            self._set(sessions.died(self._session, None))
            self._retire(cause="")
        elif self._session.request_id and self._bridge:
            self._bridge.client.cancel(self._session.request_id)
            self._watch.note_cancel()

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
        self._give_up_waiting(Problem(code="worker.reloaded"))
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
        self._resumption.ask(command)
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
        self._watch.begin(bridge.client)
        self._set(sessions.starting(self._session, wanted))
        try:
            bridge.client.start()
        except OSError as error:
            self._let_go()
            problem = Problem(code="worker.start_failed", params={"reason": str(error)})
            self._lose(problem)
            return False
        return True

    def _send(self, command: Load | Eject | Generate | Measure | Count | Forget) -> None:
        if self._bridge is not None:
            self._bridge.client.send(command)

    def _retire(self, *, cause: str) -> None:
        """Let go of the worker: whatever it still says is not heard."""
        bridge = self._let_go()
        if bridge is not None:
            self._retired.append(bridge)
            bridge.client.stop(cause=cause, grace_s=0 if cause else 2.0)

    def _let_go(self) -> WorkerBridge | None:
        bridge, self._bridge = self._bridge, None
        self._watch.end()
        return bridge

    def _on_event(self, bridge: WorkerBridge, event: Event) -> None:
        if bridge is not self._bridge:
            return
        before = self._session
        if isinstance(event, Hello) and not self._greet(event):
            return
        after = sessions.advance(before, event)
        if after.loaded is not None and after.loaded is not before.loaded:
            # What was let go of is nobody's to wait for.
            bridge.client.devices = after.loaded.settings.all_devices
        again = self._resumption.take() if after.can_answer else None
        if again is not None:
            # At once: nobody else may find the model free for a question of his.
            self._resumption.ask(again)
            after = sessions.answering(after, again.request_id)
            self._send(again)
        self._set(after)
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
                self._give_up_waiting(event.problem)
                if event.problem.code != "worker.cancelled":
                    self.load_failed.emit(event.problem)
            case Failed():
                self.question_failed.emit(event)
            case _ if before.is_answering and hasattr(event, "request_id"):
                if event.request_id == before.request_id:
                    self._resumption.hear(event)
                    self.reply_event.emit(event)

    def _on_ended(self, bridge: WorkerBridge, ended: WorkerExit) -> None:
        if bridge in self._retired:
            self._retired.remove(bridge)
        bridge.deleteLater()
        if bridge is not self._bridge:
            return
        self._let_go()
        before = self._session
        if ended.lost_node and before.state is State.LOADING and before.loaded and before.wanted:
            # It could not let go of a model on a node that is gone, and that was all it lost.
            self._set(sessions.died(before, None))
            self._load(before.wanted)
            return
        if before.wanted and self._resumption.begin(ended):
            self._come_back(before, before.wanted, ended)
            return
        from engine.worker.death import explain

        problem = explain(ended)
        if problem is not None:
            self._lose(problem)
        else:
            self._set(sessions.died(self._session, None))

    def _come_back(self, before: Session, wanted: EngineSettings, ended: WorkerExit) -> None:
        """Load what a node took with it that is there again."""
        assert ended.lost_node is not None
        self._set(sessions.died(before, None))
        if self._resumption.waiting is None:
            self._end_reply(before, ended.lost_node)
        self._load(wanted)
        self.came_back.emit(Problem(code="node.came_back", params=ended.lost_node.params))

    def _give_up_waiting(self, problem: Problem) -> None:
        """The question that was to be asked again will not be."""
        if self._resumption.take() is not None:
            self.reply_lost.emit(problem)

    def _lose(self, problem: Problem) -> None:
        before, self._pending_load = self._session, None
        self._set(sessions.died(before, problem))
        self._end_reply(before, problem)
        self._give_up_waiting(problem)
        self.died.emit(problem)

    def _end_reply(self, before: Session, problem: Problem) -> None:
        if before.is_answering:
            self.reply_lost.emit(problem)

    def _set(self, session: Session) -> None:
        if session is self._session:
            return
        self._session = session
        self._watch.request_id = session.request_id
        self._watch.is_starting = session.state is State.STARTING
        if self._bridge is not None:
            self._bridge.client.phase = session.phase
        self.session_changed.emit(session)
