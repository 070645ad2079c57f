"""Reads a chat's documents in parts for a question: plans, asks the user, reads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Signal

from app.reading import words
from app.reading.engine import WaitingEngine
from app.reading.request import model_id
from engine.documents.parts.cost import Rates
from engine.errors import Problem, UserError
from engine.worker.protocol import Finished

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.reading.request import ReadingRequest
    from app.reading.work import ReadingWork
    from app.session import Session
    from engine.documents.parts.reading import PartsReading
    from engine.documents.parts.results import PartsRead, Plan, Progress, StoppedError
    from engine.worker.protocol import Loaded
    from widgets.chat.chat_view import ChatView
    from widgets.chat.viewdata import CardView

_TOLD_S = 0.1
# Shorter replies say little about how fast this machine is.
_TELLING_READ = 256
_TELLING_WRITTEN = 16


class PartsController(QObject):
    """Owns the reading in progress, one at most, and its thread. Main thread; `close` it.

    Signals:
        changed(): Whether it waits for the user, or not any more.
        read(Record, PartsReading): All parts are read. The record is for the question; what the
            reading keeps may go once it is saved.
        ended(Problem, str): It is over without notes; the state that the reply ends in.
    """

    changed = Signal()
    read = Signal(object, object)
    ended = Signal(object, str)

    def __init__(
        self,
        *,
        engine: EngineController,
        hop: MainThread,
        view: ChatView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._hop = hop
        self._view = view
        self._waiting = WaitingEngine(engine, hop, self)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._cancelled = threading.Event()
        self._request: ReadingRequest | None = None
        self._plan: Plan | None = None
        self._state: Literal["", "planning", "asking", "reading"] = ""
        self._told_s = 0.0
        self._told_part = 0
        self._loaded: Loaded | None = None
        self._rates = Rates()
        view.card_action_requested.connect(self._on_card_action)
        engine.reply_event.connect(self._on_reply_event)
        engine.session_changed.connect(self._on_session_changed)

    # ---- what others ask

    @property
    def is_active(self) -> bool:
        """Whether it counts, asks or reads."""
        return bool(self._state)

    @property
    def is_asking(self) -> bool:
        """Whether it waits for the user's word."""
        return self._state == "asking"

    def card(self, chat_id: int | None) -> CardView | None:
        """The cost and the choice, while a chat waits for it."""
        if self._plan is None or self._request is None or not self.is_asking:
            return None
        return words.cost_card(self._plan) if self._request.chat_id == chat_id else None

    def begin(self, request: ReadingRequest) -> None:
        """Count what has to be read, then ask the user."""
        loaded = self._engine.session.loaded
        self._request, self._plan = request, None
        self._cancelled.clear()
        self._set_state("planning")
        if loaded is None:
            self._end(Problem(code="worker.no_model"), "failed")
            return
        self._waiting.model_id = model_id(loaded.model)
        self._waiting.n_ctx = loaded.context.n_ctx
        # Once the message is on the screen.
        self._hop.post(self._show_counting)
        work = self._thread.submit(self._work.planned, request, self._rates)
        self._hop.when_done(work, self._on_planned, lambda error: self._on_failed(request, error))

    def accept(self) -> None:
        """The user wants it read."""
        if self._plan is None or self._request is None or not self.is_asking:
            return
        self._set_state("reading")
        request = self._request
        work = self._thread.submit(self._work.all_read, request, self._plan)
        self._hop.when_done(work, self._on_read, lambda error: self._on_failed(request, error))

    def stop(self) -> None:
        """Stop counting or reading; without the user's word so far, do not begin."""
        if self.is_asking:
            self._end(Problem(code="parts.declined"), "stopped")
        elif self._state:
            self._cancelled.set()
            self._waiting.cancel()

    def close(self) -> None:
        """Stop; for the end of the app. What was read is kept."""
        # What still comes back is not for a chat any more.
        self._request = None
        self._cancelled.set()
        self._waiting.give_up()
        self._thread.shutdown(wait=True, cancel_futures=True)

    @cached_property
    def _work(self) -> ReadingWork:
        # Loaded after the window is painted, or with the first question that needs it.
        from app.reading.work import ReadingWork

        return ReadingWork(self._waiting, self._cancelled.is_set, self._tell)

    def _tell(self, progress: Progress) -> None:
        # Called for every few tokens, on the reading thread or the main one.
        now, number = time.monotonic(), progress.part.number if progress.part else 0
        if number != self._told_part or now - self._told_s >= _TOLD_S:
            self._told_part, self._told_s = number, now
            self._hop.post(lambda: self._show(progress))

    # ---- what comes back

    def _on_planned(self, plan: Plan | StoppedError) -> None:
        from engine.documents.parts.results import StoppedError

        if self._request is None:
            return
        if isinstance(plan, StoppedError) or self._cancelled.is_set():
            self._end(Problem(code="parts.declined"), "stopped")
            return
        self._plan = plan
        self._set_state("asking")
        if plan.cost.parts_read == plan.cost.parts:
            # Nothing is left to read: there is nothing to ask.
            self.accept()
        else:
            self._view.set_progress(str(self._request.message_id), None)

    def _on_read(self, done: tuple[PartsRead, PartsReading] | StoppedError) -> None:
        from app.documents.parts_record import parts_record
        from engine.documents.parts.results import StoppedError

        request = self._request
        if request is None:
            return
        if isinstance(done, StoppedError):
            params: dict[str, str | int | float] = {"done": done.done, "total": done.total}
            self._end(Problem(code="parts.stopped", params=params), "stopped")
            return
        read, reading = done
        self._forget()
        self.read.emit(parts_record(read, request.parts), reading)

    def _on_failed(self, request: ReadingRequest, error: UserError) -> None:
        if request is self._request:
            self._end(error.problem, "failed")

    def _end(self, problem: Problem, state: str) -> None:
        self._forget()
        self.ended.emit(problem, state)

    def _forget(self) -> None:
        self._request, self._plan = None, None
        self._set_state("")

    def _set_state(self, state: Literal["", "planning", "asking", "reading"]) -> None:
        self._state = state
        self.changed.emit()

    def _show_counting(self) -> None:
        if self._request is not None and self._state == "planning":
            self._view.set_progress(str(self._request.message_id), words.counting())

    def _show(self, progress: Progress) -> None:
        if self._request is not None and self._state == "reading":
            self._view.set_progress(str(self._request.message_id), words.progress_view(progress))

    # ---- slots

    def _on_card_action(self, _kind: str, action: str) -> None:
        if action == words.ACCEPT:
            self.accept()
        elif action == words.DECLINE and self.is_asking:
            self.stop()

    def _on_reply_event(self, event: object) -> None:
        """Learn the speeds of this machine from every reply."""
        if not isinstance(event, Finished):
            return
        usage = event.usage
        read, written = self._rates
        if usage.prompt_tokens - usage.cached_tokens >= _TELLING_READ:
            read = usage.prefill_tokens_per_second or read
        if usage.completion_tokens >= _TELLING_WRITTEN:
            written = usage.decode_tokens_per_second or written
        self._rates = Rates(read, written)

    def _on_session_changed(self, session: Session) -> None:
        if session.loaded is not None and session.loaded is not self._loaded:
            self._loaded, self._rates = session.loaded, Rates()
