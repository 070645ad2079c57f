"""The window's engine for code that waits on a thread of its own, and that outlives its worker."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.engine.asking import EngineQuestions
from app.reading.request import model_id
from app.session import State
from engine.errors import UserError
from engine.worker.protocol import Failed, Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.engine.controller import EngineController
    from app.hop import MainThread
    from engine.errors import Problem
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Event, Measured, Prompt

_REVIVAL_S = 600.0
_POLL_S = 0.1


class WaitingEngine(QObject):
    """Lives on the main thread; what waits is for one other thread. `give_up` at the end.

    Attributes:
        model_id: The model that has to answer; another one is not asked.
        n_ctx: The context that the parts were cut for; a shorter one is of no use.
    """

    def __init__(
        self, engine: EngineController, hop: MainThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._hop = hop
        self._questions = EngineQuestions(engine, hop, self)
        self._request_id = 0
        self._future: Future[Finished] | None = None
        self._on_event: Callable[[Event], None] = lambda _event: None
        self.model_id = ""
        self.n_ctx = 0
        engine.reply_event.connect(self._on_reply_event)
        engine.reply_lost.connect(self._on_reply_lost)

    # ---- on the other thread

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request."""
        return self._questions.measure(prompt, generation)

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts."""
        return self._questions.count(texts)

    def generate(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        on_event: Callable[[Event], None],
    ) -> Finished:
        """Write a reply. `on_event` is called on the main thread while this one waits.

        Raises:
            UserError: The request failed, or the worker is gone.
        """
        future: Future[Finished] = Future()
        self._hop.post(lambda: self._start(prompt, generation, on_event, future))
        return self._questions.awaited(future)

    def revive(self) -> None:
        """Wait until the same model is ready, and start it again if its worker died.

        Raises:
            UserError: It did not come back, or another model was loaded.
        """
        deadline = time.monotonic() + _REVIVAL_S
        # Only then does the state say anything: a busy window hears of a post late.
        restarted: Future[None] = Future()
        self._hop.post(lambda: self._restart(restarted))
        self._questions.awaited(restarted)
        while not self._questions.is_closed and time.monotonic() < deadline:
            session = self._engine.session
            if session.state is State.READY:
                self._check_model()
                return
            if session.state in (State.DIED, State.IDLE, State.OFF):
                raise UserError.of(session.problem) if session.problem else UserError("worker.gone")
            time.sleep(_POLL_S)
        raise UserError("worker.gone")

    # ---- on the main thread

    def cancel(self) -> None:
        """Stop the request in progress, if there is one."""
        if self._request_id and self._engine.session.request_id == self._request_id:
            self._engine.cancel()

    def give_up(self) -> None:
        """Let nothing wait any longer."""
        self._questions.give_up()

    def _start(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        on_event: Callable[[Event], None],
        future: Future[Finished],
    ) -> None:
        try:
            self._check_model()
        except UserError as error:
            future.set_exception(error)
            return
        self._future, self._on_event = future, on_event
        self._request_id = self._engine.generate(prompt, generation)

    def _check_model(self) -> None:
        session = self._engine.session
        if session.loaded is None or not session.can_answer:
            raise UserError("worker.gone")
        loaded = session.loaded
        if model_id(loaded.model) != self.model_id or loaded.context.n_ctx < self.n_ctx:
            raise UserError("parts.other_model")

    def _restart(self, restarted: Future[None]) -> None:
        if self._engine.session.state is State.DIED:
            self._engine.restart()
        restarted.set_result(None)

    def _on_reply_event(self, event: Event) -> None:
        future = self._future
        if future is None or getattr(event, "request_id", 0) != self._request_id:
            return
        if isinstance(event, Finished | Failed):
            self._future, self._request_id = None, 0
        if isinstance(event, Finished):
            future.set_result(event)
        elif isinstance(event, Failed):
            future.set_exception(UserError.of(event.problem))
        else:
            self._on_event(event)

    def _on_reply_lost(self, problem: Problem) -> None:
        future, self._future, self._request_id = self._future, None, 0
        if future is not None:
            future.set_exception(UserError.of(problem))
