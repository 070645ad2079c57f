"""What surrounds the messages: chips, composer, and the cards about the engine and the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.chat.chips import DocumentChips, told
from app.session import Session, State
from widgets.chat.viewdata import ActionView, CardView, ComposerState

if TYPE_CHECKING:
    from app.chat.controller import ChatController
    from app.chat.ledger import LedgerController
    from app.documents.embedding import DocumentEmbedding
    from app.documents.shelf import Held, Shelf
    from app.engine.controller import EngineController
    from app.reading.controller import PartsController
    from engine.errors import Problem
    from engine.worker.protocol import LeftOut, Measured
    from widgets.chat.chat_view import ChatView


class ChatPresenter(QObject):
    """Keeps the composer, its chips and the cards true. Main thread.

    Signals:
        action_requested(str): ``load_demo``, ``choose_model``, ``restart``, ``restart_safe``,
            ``show_log``, ``wait``, ``new_chat``, ``sample``, ``more_context:N`` …

    Attributes:
        chips: The documents of the open chat.
    """

    action_requested = Signal(str)

    def __init__(
        self,
        *,
        engine: EngineController,
        chat: ChatController,
        ledger: LedgerController,
        shelf: Shelf,
        embedding: DocumentEmbedding,
        reading: PartsController,
        view: ChatView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._chat = chat
        self._ledger = ledger
        self._shelf = shelf
        self.chips = DocumentChips(
            engine=engine, ledger=ledger, shelf=shelf, embedding=embedding, parent=self
        )
        self._reading = reading
        self._view = view
        self._refusal: Problem | None = None
        self._silence: Problem | None = None
        self._is_measuring = False
        engine.session_changed.connect(self._on_session_changed)
        engine.fell_silent.connect(self._on_silent)
        engine.reply_event.connect(self._on_sign_of_life)
        chat.opened.connect(lambda _chat_id: self._forget_refusal())
        chat.content_changed.connect(self.refresh)
        chat.refused.connect(self._on_refused)
        shelf.changed.connect(lambda _chat_id: self.refresh())
        embedding.changed.connect(self.refresh)
        reading.changed.connect(self.refresh)
        ledger.measured.connect(self._on_measured)
        self.chips.action_requested.connect(self.action_requested)
        view.chip_remove_requested.connect(lambda key: self.act_on_document(key, "remove"))
        view.chip_action_requested.connect(self.act_on_document)
        view.card_action_requested.connect(lambda _kind, action: self._on_card_action(action))

    def refresh(self) -> None:
        """Show everything as it stands."""
        session = self._engine.session
        self._view.set_chips([self.chips.view(held) for held in self._held()])
        self._view.set_state(self._composer(session))
        self._view.show_cards(self._cards(session))

    def set_measuring(self, is_measuring: bool) -> None:
        """Whether the model is away because its best values are being measured."""
        self._is_measuring = is_measuring
        self.refresh()

    def act_on_document(self, key: str, action: str) -> None:
        """Do what was chosen for a document of the open chat."""
        if self._chat.chat_id is not None:
            self.chips.act(self._chat.chat_id, key, action)

    # ---- composer

    def _composer(self, session: Session) -> ComposerState:
        branch = self._chat.branch
        has_model = session.loaded is not None or session.request_id != 0
        hint = "" if has_model else self._no_model_words()
        deciding = any(held.is_undecided for held in self._held())
        over = 0 if deciding else self._ledger.overflow_tokens
        if over and session.loaded is not None:
            hint = self.tr("{over:,} tokens too long for the context; choose a way to fit.").format(
                over=over
            )
        elif session.state in (State.STARTING, State.LOADING):
            hint = self.tr("The model is loading; what you send now waits for it.")
        elif self._ledger.left_out is not None:
            hint = self._left_out_words(self._ledger.left_out)
        return ComposerState(
            can_send=has_model and not over,
            generating=session.is_answering or self._chat.replying_in is not None,
            queued=self._chat.queued,
            placeholder=self.tr("Ask about the documents …") if self._held() else "",
            hint=hint,
            title=branch.chat.title if branch else "",
        )

    def _no_model_words(self) -> str:
        if self._is_measuring:
            return self.tr("The best values are being measured; you can ask again afterwards.")
        return self.tr("Load a model to ask something.")

    def _left_out_words(self, left_out: LeftOut) -> str:
        if self._chat.generation().overflow == "summarise":
            words = self.tr(
                "The {count} oldest messages ({tokens:,} tokens) will be summarised first."
            )
        else:
            words = self.tr("The {count} oldest messages ({tokens:,} tokens) will be left out.")
        return words.format(count=left_out.turns, tokens=left_out.tokens)

    def _held(self) -> tuple[Held, ...]:
        return self._shelf.held(self._chat.chat_id)

    # ---- cards

    def _cards(self, session: Session) -> list[CardView]:
        if session.problem is not None and session.state is State.DIED:
            return [self._died_card(session.problem)]
        if self._silence is not None and session.request_id:
            return [self._silence_card(self._silence)]
        if session.problem is not None:
            return [self._load_failed_card(session.problem)]
        if session.wanted is None and session.request_id == 0 and session.loaded is None:
            return [self._first_run_card()]
        if (asking := self._reading.card(self._chat.chat_id)) is not None:
            return [asking]
        branch = self._chat.branch
        if self._ledger.overflow_tokens and branch is not None and branch.messages:
            return [self._full_card()]
        if self._refusal is not None:
            return [self._refused_card(self._refusal)]
        if branch is None or not branch.messages:
            return [self._empty_card()]
        return []

    def _first_run_card(self) -> CardView:
        return CardView(
            kind="first_run",
            title=self.tr("Ask a model on this computer"),
            text=self.tr(
                "Leadline runs language models here, without a network. Begin with the bundled "
                "demo model, SmolLM2 135M: small and quick, good for trying things out. Or choose "
                "a GGUF file of your own; those of LM Studio, Ollama and Hugging Face are found "
                "by themselves."
            ),
            actions=(
                ActionView("load_demo", self.tr("Load the demo model"), primary=True),
                ActionView("choose_model", self.tr("Choose a file …")),
            ),
        )

    def _empty_card(self) -> CardView:
        sample = ActionView("sample", self.tr("Try the sample document"))
        return CardView(
            kind="empty",
            title=self.tr("What would you like to know?"),
            text=self.tr(
                "Ask anything, or drop documents here to ask about them: PDF, Word, Excel, "
                "PowerPoint, e-books, e-mail, web pages, text, folders of code. Everything stays "
                "on this computer."
            ),
            # It is not offered to those who brought documents, nor twice.
            actions=() if self._held() else (sample,),
        )

    def _died_card(self, problem: Problem) -> CardView:
        return CardView(
            kind="engine_died",
            title=self.tr("The engine stopped"),
            text=told(problem) + " " + self.tr("What was written is kept."),
            actions=(
                ActionView("restart", self.tr("Restart"), primary=True),
                ActionView("restart_safe", self.tr("Restart with safe settings")),
                ActionView("show_log", self.tr("Show log")),
            ),
            detail=problem.detail,
        )

    def _silence_card(self, problem: Problem) -> CardView:
        return CardView(
            kind="notice",
            title=self.tr("No sign of life"),
            text=told(problem),
            actions=(
                ActionView("wait", self.tr("Keep waiting"), primary=True),
                ActionView("restart", self.tr("Restart")),
                ActionView("show_log", self.tr("Show log")),
            ),
        )

    def _load_failed_card(self, problem: Problem) -> CardView:
        return CardView(
            kind="error",
            title=self.tr("The model could not be loaded"),
            text=told(problem),
            actions=(
                ActionView("choose_model", self.tr("Choose another model"), primary=True),
                ActionView("restart_safe", self.tr("Try safe settings")),
                ActionView("show_log", self.tr("Show log")),
            ),
            detail=problem.detail,
        )

    def _full_card(self) -> CardView:
        latest = self._ledger.latest
        taken = {"document": 0, "chat": 0, "message": 0}
        for segment in latest.segments if latest else ():
            if segment.kind in taken:
                taken[segment.kind] += segment.tokens
        words = self.tr(
            "The next request is {over:,} tokens longer than the context of {n_ctx:,}: documents "
            "{documents:,}, conversation {chat:,}, this message {message:,}. Nothing is sent until "
            "you choose; older messages that are left out stay in the chat."
        )
        actions = [ActionView("new_chat", self.tr("New chat"))]
        if self._chat.generation().overflow == "stop":
            actions[:0] = [
                ActionView("overflow:drop", self.tr("Drop the oldest")),
                ActionView("overflow:summarise", self.tr("Summarise the oldest")),
            ]
        return CardView(
            kind="context_full",
            title=self.tr("The context is full"),
            text=words.format(
                over=self._ledger.overflow_tokens,
                n_ctx=latest.n_ctx if latest else 0,
                documents=taken["document"],
                chat=taken["chat"],
                message=taken["message"],
            ),
            actions=(*self.chips.longer_context(), *actions),
        )

    def _refused_card(self, problem: Problem) -> CardView:
        full = problem.code == "engine.prompt_too_long"
        actions = (ActionView("new_chat", self.tr("New chat")),)
        return CardView(
            kind="context_full" if full else "error",
            title=self.tr("The context is full") if full else self.tr("No reply"),
            text=told(problem),
            actions=(*self.chips.longer_context(), *actions) if full else actions,
            detail=problem.detail,
        )

    # ---- slots

    def _on_session_changed(self, session: Session) -> None:
        if session.is_answering or session.state is State.LOADING:
            self._refusal = None
        if session.request_id == 0:
            self._silence = None
        self.refresh()

    def _on_measured(self, _measured: Measured) -> None:
        self.refresh()

    def _on_refused(self, problem: Problem) -> None:
        self._refusal = problem
        self.refresh()

    def _forget_refusal(self) -> None:
        self._refusal = None
        self.refresh()

    def _on_silent(self, problem: Problem) -> None:
        self._silence = problem
        self.refresh()

    def _on_sign_of_life(self, _event: object) -> None:
        if self._silence is not None:
            self._silence = None
            self.refresh()

    def _on_card_action(self, action: str) -> None:
        name, _, value = action.partition(":")
        if action == "wait":
            self._silence = None
            self.refresh()
        elif name == "overflow":
            self._chat.set_overflow(value)
        else:
            self.action_requested.emit(action)
