"""What surrounds the messages: chips, composer, and the cards about the engine and the window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.documents.fitting import pages_that_fit
from app.session import Session, State
from widgets.chat.viewdata import ActionView, CardView, ChipView, ComposerState

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
        password_requested(str key, str name): A document wants one.
    """

    action_requested = Signal(str)
    password_requested = Signal(str, str)

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
        self._embedding = embedding
        self._reading = reading
        self._view = view
        self._refusal: Problem | None = None
        self._silence: Problem | None = None
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
        view.chip_remove_requested.connect(self._on_chip_removed)
        view.chip_action_requested.connect(self._on_chip_action)
        view.card_action_requested.connect(lambda _kind, action: self._on_card_action(action))

    def refresh(self) -> None:
        """Show everything as it stands."""
        session = self._engine.session
        self._view.set_chips([self._chip(held) for held in self._held()])
        self._view.set_state(self._composer(session))
        self._view.show_cards(self._cards(session))

    # ---- composer and chips

    def _composer(self, session: Session) -> ComposerState:
        branch = self._chat.branch
        has_model = session.loaded is not None or session.request_id != 0
        hint = "" if has_model else self.tr("Load a model to ask something.")
        over = self._ledger.overflow_tokens
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

    def _chip(self, held: Held) -> ChipView:
        pages = held.page_count if held.page_count and held.page_count > 1 else None
        view = ChipView(id=held.key, name=held.name, pages=pages)
        if held.state == "failed":
            return _replaced(
                view,
                state="failed",
                message=_told(held.problem),
                actions=self._failure_actions(held.problem),
            )
        if held.state in ("reading", "opening"):
            share = "" if held.fraction is None else f"{held.fraction:.0%}"
            return _replaced(view, state="reading", message=share)
        if held.asks:
            return self._changed_chip(view, held)
        if held.mode == "passages":
            return self._passages_chip(view, held)
        if held.mode == "parts":
            return self._parts_chip(view, held)
        tokens = self._tokens_of(held.key)
        if tokens is None and self._engine.session.loaded is not None:
            return _replaced(view, state="counting")
        if self._ledger.overflow_tokens and tokens is not None:
            return _replaced(
                view,
                state="too_large",
                tokens=tokens,
                message=self._too_large_words(),
                actions=self._fit_actions(held),
            )
        said = [self.tr("pages {pages}").format(pages=held.selection)] if held.selection else []
        said.extend(_told(note) for note in (held.document.notes if held.document else ()))
        message = "\n".join(said)
        return _replaced(view, tokens=tokens, message=message, actions=self._page_actions(held))

    def _changed_chip(self, view: ChipView, held: Held) -> ChipView:
        tokens = self._tokens_of(held.key)
        keep = ActionView("keep", self.tr("Keep as it was"))
        if held.file == "gone":
            message = self.tr("There is no file at {path} any more. What was read of it is kept.")
            said = message.format(path=held.path)
            return _replaced(view, state="gone", tokens=tokens, message=said, actions=(keep,))
        message = self.tr(
            "{name} changed on disk after it was read. What you send waits for your choice."
        )
        return _replaced(
            view,
            state="changed",
            tokens=tokens,
            message=message.format(name=held.name),
            actions=(ActionView("read_again", self.tr("Read again"), primary=True), keep),
        )

    def _passages_chip(self, view: ChipView, held: Held) -> ChipView:
        chosen = self.tr(" of pages {pages}").format(pages=held.selection) if held.selection else ""
        message = self.tr("Only the passages{pages} that answer to each question are sent.")
        words, actions = self._preparation(held.key)
        return _replaced(
            view,
            mode="passages",
            message=f"{message.format(pages=chosen)} {words}".strip(),
            actions=(
                *actions,
                ActionView("whole", self.tr("Send it whole")),
                ActionView("parts", self.tr("Read it in parts")),
            ),
        )

    def _parts_chip(self, view: ChipView, held: Held) -> ChipView:
        chosen = self.tr("Pages {pages} are").format(pages=held.selection) if held.selection else ""
        message = self.tr(
            "{all} read part by part for each question; you see the cost before it begins."
        )
        return _replaced(
            view,
            mode="parts",
            message=message.format(all=chosen or self.tr("All of it is")),
            actions=(
                ActionView("whole", self.tr("Send it whole")),
                ActionView("passages", self.tr("Send passages instead")),
            ),
        )

    def _preparation(self, key: str) -> tuple[str, tuple[ActionView, ...]]:
        """How a document is searched: by words alone as long as it is not embedded whole."""
        one = self._embedding.preparation(key)
        if one is None:
            return "", ()
        again = (ActionView("go_on_embedding", self.tr("Go on")),)
        match one.state:
            case "done":
                return self.tr("They are found by words and by meaning."), ()
            case "failed":
                return self.tr("They are found by words alone."), again
            case "stopped":
                words = self.tr(
                    "They are found by words alone: {done:,} of {total:,} are embedded."
                )
                return words.format(done=one.done, total=one.total), again
        words = self.tr("They are found by words alone until all are embedded")
        words += self.tr(": {done:,} of {total:,} …") if one.total else " …"
        stop = (ActionView("stop_embedding", self.tr("Stop embedding")),)
        return words.format(done=one.done, total=one.total), stop

    def _tokens_of(self, key: str) -> int | None:
        latest = self._ledger.latest
        for segment in latest.segments if latest else ():
            if segment.document_id == key:
                return segment.tokens
        return None

    def _failure_actions(self, problem: Problem | None) -> tuple[ActionView, ...]:
        if problem and problem.code in ("documents.encrypted", "documents.wrong_password"):
            return (ActionView("password", self.tr("Enter password"), primary=True),)
        return (ActionView("retry", self.tr("Try again")),)

    def _page_actions(self, held: Held) -> tuple[ActionView, ...]:
        if held.selection:
            return (ActionView("all_pages", self.tr("All pages")),)
        return ()

    def _fit_actions(self, held: Held) -> tuple[ActionView, ...]:
        actions = list(self._longer_context())
        selection = self._selection_that_fits(held)
        if selection:
            label = self.tr("Pages {pages}").format(pages=selection)
            actions.append(ActionView(f"pages:{selection}", label))
        if held.document is not None:
            label = self.tr("Send passages instead")
            actions.append(ActionView("passages", label, primary=not actions))
            actions.append(ActionView("parts", self.tr("Read it in parts")))
        actions.append(ActionView("remove", self.tr("Remove")))
        return tuple(actions)

    def _selection_that_fits(self, held: Held) -> str:
        tokens = self._tokens_of(held.key)
        if held.document is None or tokens is None:
            return ""
        # A little more than needed, so that there is room for a reply.
        room = tokens - self._ledger.overflow_tokens - 256
        return pages_that_fit(held.document, held.selection, tokens, room)

    def _wanted_n_ctx(self) -> int | None:
        """A context that would hold the request, if the model was trained for it."""
        session, latest = self._engine.session, self._ledger.latest
        if session.loaded is None or latest is None:
            return None
        wanted = -(-(latest.prompt_tokens + 1024) // 1024) * 1024
        return wanted if wanted <= session.loaded.model.n_ctx_train else None

    def _too_large_words(self) -> str:
        latest = self._ledger.latest
        return self.tr("{over:,} tokens more than the context of {n_ctx:,}").format(
            over=self._ledger.overflow_tokens, n_ctx=latest.n_ctx if latest else 0
        )

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
        return CardView(
            kind="empty",
            title=self.tr("What would you like to know?"),
            text=self.tr(
                "Ask anything, or drop documents here to ask about them: PDF, text, Markdown, "
                "code, CSV, HTML. Everything stays on this computer."
            ),
            actions=(ActionView("sample", self.tr("Try the sample document")),),
        )

    def _died_card(self, problem: Problem) -> CardView:
        return CardView(
            kind="engine_died",
            title=self.tr("The engine stopped"),
            text=_told(problem) + " " + self.tr("What was written is kept."),
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
            text=_told(problem),
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
            text=_told(problem),
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
            "{documents:,}, conversation {chat:,}, this message {message:,}. Nothing was sent. "
            "Every way below leaves the chat itself as it is."
        )
        actions = [ActionView("new_chat", self.tr("New chat"))]
        if self._chat.generation().overflow == "stop":
            actions[:0] = [
                ActionView("overflow:drop", self.tr("Drop the oldest messages")),
                ActionView("overflow:summarise", self.tr("Summarise the oldest messages")),
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
            actions=(*self._longer_context(), *actions),
        )

    def _longer_context(self) -> tuple[ActionView, ...]:
        wanted = self._wanted_n_ctx()
        if wanted is None:
            return ()
        label = self.tr("Context {n_ctx:,}").format(n_ctx=wanted)
        return (ActionView(f"more_context:{wanted}", label, primary=True),)

    def _refused_card(self, problem: Problem) -> CardView:
        full = problem.code == "engine.prompt_too_long"
        actions = (ActionView("new_chat", self.tr("New chat")),)
        return CardView(
            kind="context_full" if full else "error",
            title=self.tr("The context is full") if full else self.tr("No reply"),
            text=_told(problem),
            actions=(*self._longer_context(), *actions) if full else actions,
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

    def _on_chip_removed(self, key: str) -> None:
        if self._chat.chat_id is not None:
            self._shelf.remove(self._chat.chat_id, key)

    def _on_chip_action(self, key: str, action: str) -> None:
        chat_id = self._chat.chat_id
        held = self._shelf.find(chat_id, key) if chat_id is not None else None
        if chat_id is None or held is None:
            return
        name, _, value = action.partition(":")
        match name:
            case "remove":
                self._shelf.remove(chat_id, key)
            case "retry":
                self._shelf.retry(chat_id, key)
            case "read_again":
                self._shelf.read_again(chat_id, key)
            case "keep":
                self._shelf.keep_as_it_was(chat_id, key)
            case "password":
                self.password_requested.emit(key, held.name)
            case "pages" | "all_pages":
                self._shelf.choose_pages(chat_id, key, value)
            case "passages" | "whole" | "parts":
                self._shelf.choose_mode(chat_id, key, name)
            case "stop_embedding":
                self._embedding.stop(key)
            case "go_on_embedding":
                self._embedding.go_on(key)
            case _:
                self.action_requested.emit(action)


def _told(problem: Problem | None) -> str:
    return f"{problem.message} {problem.fix}".strip() if problem else ""


def _replaced(view: ChipView, **changes: object) -> ChipView:
    return replace(view, **changes)  # type: ignore[arg-type]
