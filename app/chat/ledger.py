"""Keeps the context ledger true: asks the engine what the next or the present request holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Signal

from app.chat.overflow import counting
from engine.sentences import message_for
from engine.worker.protocol import Delta, Finished, Measured, Segment
from widgets.chat.viewdata import LedgerView, SegmentView

if TYPE_CHECKING:
    from app.chat.controller import ChatController
    from app.chat.ledger_choices import LedgerChoices
    from app.engine.controller import EngineController
    from app.session import Session
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Failed, LeftOut, Prompt
    from widgets.chat.chat_view import ChatView

# Typing asks again this often at most; counting a short message takes a few milliseconds.
INTERVAL_MS = 300


class LedgerController(QObject):
    """Owns the newest `Measured` of the open chat. Main thread.

    Signals:
        measured(Measured): What the next request would hold.
    """

    measured = Signal(object)

    def __init__(
        self,
        *,
        engine: EngineController,
        chat: ChatController,
        choices: LedgerChoices,
        view: ChatView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._chat = chat
        self._choices = choices
        self._view = view
        self._asked: tuple[Prompt, GenerationSettings] | None = None
        self._asked_id = 0
        self._reply_asked: tuple[Prompt, GenerationSettings] | None = None
        self._reply_asked_id = 0
        self._of_reply: Measured | None = None
        self._shown_chat: int | None = None
        self._is_dirty = True
        self._has_model = False
        self.latest: Measured | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        engine.measured.connect(self._on_measured)
        engine.question_failed.connect(self._on_question_failed)
        engine.reply_event.connect(self._on_reply_event)
        engine.session_changed.connect(self._on_session_changed)
        chat.content_changed.connect(self.mark_dirty)
        chat.opened.connect(self._on_opened)
        chat.asked.connect(self._on_asked)

    def mark_dirty(self) -> None:
        """Something that is not in the composer changed."""
        self._is_dirty = True

    def refresh(self) -> None:
        """Ask again if the request, or the composer's text, changed."""
        if self._engine.session.loaded is None or self._chat.is_replying_here:
            return
        if self._asked is not None and not self._is_dirty and not self._can_be_typed_into():
            # Putting a long request together three times a second costs what a window at rest must
            # not: nothing but the composer's text changes unsaid.
            return
        draft = self._view.draft().strip()
        self._chat.prepare(draft)
        if self._choices.is_undecided:
            # A document that will go as passages is not counted whole meanwhile: the context would
            # seem to be full.
            self._is_dirty = True
            return
        asked = (self._chat.prompt(draft), counting(self._chat.generation()))
        if self._is_dirty or asked != self._asked:
            self._asked, self._is_dirty = asked, False
            self._asked_id = self._engine.measure(*asked)

    @property
    def overflow_tokens(self) -> int:
        """By how much the next request is too long for the window; 0 when it fits."""
        latest = self.latest
        return max(0, latest.prompt_tokens + 1 - latest.n_ctx) if latest else 0

    @property
    def left_out(self) -> LeftOut | None:
        """What of the conversation the next request would not hold."""
        return self.latest.left_out if self.latest else None

    def _on_asked(self, prompt: Prompt, generation: GenerationSettings) -> None:
        """A request is on its way: the draft that was counted last need not be what it holds."""
        self._of_reply = None
        self._reply_asked = prompt, counting(generation)
        self._reply_asked_id = self._engine.measure(*self._reply_asked)

    def _on_measured(self, measured: Measured) -> None:
        if measured.request_id == self._reply_asked_id:
            self._of_reply = measured
            if self._chat.is_replying_here:
                self._view.set_ledger(ledger_view(measured, self._choices))
        elif measured.request_id == self._asked_id:
            self.latest = measured
            self._view.set_ledger(ledger_view(measured, self._choices))
            self.measured.emit(measured)

    def _on_question_failed(self, failed: Failed) -> None:
        # Of several requests to count, the engine answers only the latest, whoever asked for it.
        if failed.problem.code != "worker.superseded":
            return
        if failed.request_id == self._asked_id:
            self.mark_dirty()
        elif failed.request_id == self._reply_asked_id and self._reply_asked is not None:
            self._reply_asked_id = self._engine.measure(*self._reply_asked)

    def _on_reply_event(self, event: object) -> None:
        if not self._chat.is_replying_here or not self._chat.is_of_reply(event):
            return
        if isinstance(event, Delta) and self._of_reply is not None:
            self._view.set_ledger(growing_view(self._of_reply, event))
        elif isinstance(event, Finished):
            self.mark_dirty()

    def _on_opened(self, chat_id: int | None) -> None:
        """Another chat is open: what was counted for the one before is not true of it."""
        before, self._shown_chat = self._shown_chat, chat_id
        branch = self._chat.branch
        if before is None and branch is not None and not branch.messages:
            # The chat on the screen, which held nothing yet, was stored: nothing else changed.
            return
        loaded = self._engine.session.loaded
        self.latest, self._asked, self._asked_id = None, None, 0
        self._view.set_ledger(LedgerView(n_ctx=loaded.context.n_ctx if loaded else 0))

    def _on_session_changed(self, session: Session) -> None:
        has_model = session.loaded is not None
        if self._has_model and not has_model:
            self.latest, self._asked = None, None
            self._view.set_ledger(LedgerView())
        self._has_model = has_model

    def _can_be_typed_into(self) -> bool:
        return self._view.isVisible() and not self._view.window().isMinimized()


def ledger_view(measured: Measured, choices: LedgerChoices) -> LedgerView:
    """The engine's own count, as shown."""
    return LedgerView(
        segments=tuple(_segment(segment, choices) for segment in measured.segments),
        n_ctx=measured.n_ctx,
        used=measured.prompt_tokens,
        seconds_to_first_token=measured.seconds_to_first_token,
        tokens_per_second=measured.prefill_tokens_per_second,
        read_reason=message_for(measured.read_reason, {}) if measured.read_reason else "",
    )


def growing_view(measured: Measured, delta: Delta) -> LedgerView:
    """The same while a reply grows: everything read is cached, the reply joins the chat."""
    grown = max(0, delta.context_used - measured.prompt_tokens)
    reserved = sum(s.tokens for s in measured.segments if s.kind == "reply_reserve")
    reserve = max(0, min(reserved - grown, measured.n_ctx - delta.context_used))
    left = {
        "reply_reserve": reserve,
        "free": max(0, measured.n_ctx - delta.context_used - reserve),
    }
    segments = [
        SegmentView(s.kind, s.label, left[s.kind])
        if s.kind in left
        else SegmentView(s.kind, s.label, s.tokens, cached=s.tokens)
        for s in measured.segments
    ]
    words = QCoreApplication.translate("Ledger", "Written")
    written = SegmentView(kind="chat", label=words, tokens=grown, cached=grown)
    at = sum(segment.kind not in left for segment in segments)
    segments.insert(at, written)
    return LedgerView(segments=tuple(segments), n_ctx=measured.n_ctx, used=delta.context_used)


def _segment(segment: Segment, choices: LedgerChoices) -> SegmentView:
    return SegmentView(
        kind=segment.kind,
        label=segment.label,
        tokens=segment.tokens,
        cached=segment.cached,
        id=segment.document_id or segment.kind,
        note=choices.note(segment),
        choices=choices.of(segment),
    )
