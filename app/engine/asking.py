"""Asks the engine from another thread and waits there for the answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.session import Session
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Counted, Failed, Measured, Prompt

T = TypeVar("T")

_POLL_S = 0.2


class EngineQuestions(QObject):
    """Lives on the main thread; `measure` and `count` are for any other. `give_up` at the end.

    Attributes:
        is_closed: Whether nothing waits any longer.
    """

    def __init__(
        self, engine: EngineController, hop: MainThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._hop = hop
        self._waiting: dict[int, Future[Any]] = {}
        self.is_closed = False
        engine.measured.connect(self._on_answer)
        engine.counted.connect(self._on_answer)
        engine.question_failed.connect(self._on_failed)
        engine.session_changed.connect(self._on_session_changed)

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request.

        Raises:
            UserError: There is no model, or the engine went away meanwhile.
        """
        while True:
            try:
                measured: Measured = self._answer(lambda: self._engine.measure(prompt, generation))
            except UserError as error:
                # Of several requests to count, the engine answers only the latest.
                if error.code != "worker.superseded":
                    raise
            else:
                return measured

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts.

        Raises:
            UserError: As `measure`.
        """
        counted: Counted = self._answer(lambda: self._engine.count(tuple(texts)))
        return counted.counts

    def give_up(self) -> None:
        """Let nothing wait any longer."""
        self.is_closed = True
        self._fail_all()

    def _answer(self, ask: Callable[[], int]) -> Any:  # noqa: ANN401  the answer to any question
        future: Future[Any] = Future()

        def on_main() -> None:
            request_id = 0 if self.is_closed else ask()
            if request_id:
                self._waiting[request_id] = future
            else:
                future.set_exception(UserError("worker.no_model"))

        self._hop.post(on_main)
        return self.awaited(future)

    def awaited(self, future: Future[T]) -> T:
        """Wait for what the main thread will set.

        Raises:
            UserError: What it sets; ``worker.gone`` when there is nothing to wait for any longer.
        """
        while not self.is_closed:
            try:
                return future.result(timeout=_POLL_S)
            except TimeoutError:
                continue
        raise UserError("worker.gone")

    def _on_answer(self, answer: Measured | Counted) -> None:
        future = self._waiting.pop(answer.request_id, None)
        if future is not None:
            future.set_result(answer)

    def _on_failed(self, failed: Failed) -> None:
        future = self._waiting.pop(failed.request_id, None)
        if future is not None:
            future.set_exception(UserError.of(failed.problem))

    def _on_session_changed(self, session: Session) -> None:
        if session.loaded is None:
            self._fail_all()

    def _fail_all(self) -> None:
        for future in self._waiting.values():
            future.set_exception(UserError("worker.gone"))
        self._waiting.clear()
