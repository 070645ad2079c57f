"""The documents of the open chat as chips in the composer, and what their buttons do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat.prompting import mode_named
from app.documents.fitting import pages_that_fit
from widgets.chat.viewdata import ActionView, ChipView

if TYPE_CHECKING:
    from app.chat.ledger import LedgerController
    from app.documents.embedding import DocumentEmbedding
    from app.documents.held import Held
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from engine.errors import Problem


class DocumentChips(QObject):
    """Main thread.

    Signals:
        action_requested(str): What concerns the whole application, e.g. ``more_context:N``.
        password_requested(str key, str name): A document wants one.
        pages_requested(str key): The user wants to choose pages of a document.
    """

    action_requested = Signal(str)
    password_requested = Signal(str, str)
    pages_requested = Signal(str)

    def __init__(
        self,
        *,
        engine: EngineController,
        ledger: LedgerController,
        shelf: Shelf,
        embedding: DocumentEmbedding,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._ledger = ledger
        self._shelf = shelf
        self._embedding = embedding

    def view(self, held: Held) -> ChipView:
        """One document as it stands."""
        pages = held.page_count if held.page_count and held.page_count > 1 else None
        view = ChipView(id=held.key, name=held.name, pages=pages)
        if held.state == "failed":
            return _replaced(
                view,
                state="failed",
                message=told(held.problem),
                actions=self._failure_actions(held.problem),
            )
        if held.state in ("reading", "opening"):
            share = "" if held.fraction is None else f"{held.fraction:.0%}"
            return _replaced(view, state="reading", message=share)
        if held.asks:
            return self._changed_chip(view, held)
        if held.sent_as == "passages":
            return self._passages_chip(view, held)
        if held.mode == "parts":
            return self._parts_chip(view, held)
        tokens = self._tokens_of(held.key)
        if (tokens is None or held.is_undecided) and self._engine.session.loaded is not None:
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
        said.extend(told(note) for note in (held.document.notes if held.document else ()))
        if held.mode == "automatic":
            said.append(self.tr("Automatic: it fits with room for a reply, so it is sent whole."))
        message = "\n".join(said)
        return _replaced(
            view,
            tokens=tokens,
            message=message,
            is_automatic=held.mode == "automatic",
            actions=self._page_actions(held),
        )

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
        if held.mode == "automatic":
            message = self.tr(
                "Automatic: whole, with room for a reply, it would be {over:,} tokens too long. "
                "Only the passages{pages} that answer to each question are sent."
            )
        over = held.settled.over if held.settled else 0
        words, actions = self._preparation(held.key)
        return _replaced(
            view,
            mode="passages",
            is_automatic=held.mode == "automatic",
            message=f"{message.format(pages=chosen, over=over)} {words}".strip(),
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

    def _prepared_words(self, shortened: int) -> str:
        words = self.tr("They are found by words and by meaning.")
        if shortened:
            more = self.tr(
                "Of {n:,} that are longer than the embedding model reads, the meaning is that of "
                "their beginning."
            )
            words = f"{words} {more.format(n=shortened)}"
        return words

    def _preparation(self, key: str) -> tuple[str, tuple[ActionView, ...]]:
        """How a document is searched: by words alone as long as it is not embedded whole."""
        one = self._embedding.preparation(key)
        if one is None:
            return "", ()
        again = (ActionView("go_on_embedding", self.tr("Go on")),)
        match one.state:
            case "done":
                return self._prepared_words(one.shortened), ()
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
        if problem and problem.code == "documents.not_read_yet":
            return (ActionView("retry", self.tr("Read it"), primary=True),)
        return (ActionView("retry", self.tr("Try again")),)

    def _page_actions(self, held: Held) -> tuple[ActionView, ...]:
        if held.selection:
            return (ActionView("all_pages", self.tr("All pages")),)
        return ()

    def _fit_actions(self, held: Held) -> tuple[ActionView, ...]:
        actions = list(self.longer_context())
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

    def _too_large_words(self) -> str:
        latest = self._ledger.latest
        return self.tr("{over:,} tokens more than the context of {n_ctx:,}").format(
            over=self._ledger.overflow_tokens, n_ctx=latest.n_ctx if latest else 0
        )

    def longer_context(self) -> tuple[ActionView, ...]:
        """Offers a context that would hold the request, if the model was trained for it."""
        session, latest = self._engine.session, self._ledger.latest
        if session.loaded is None or latest is None:
            return ()
        wanted = -(-(latest.prompt_tokens + 1024) // 1024) * 1024
        if wanted > session.loaded.model.n_ctx_train:
            return ()
        label = self.tr("Context {n_ctx:,}").format(n_ctx=wanted)
        return (ActionView(f"more_context:{wanted}", label, primary=True),)

    def act(self, chat_id: int, key: str, action: str) -> None:
        """Do what was chosen for a document of a chat."""
        held = self._shelf.find(chat_id, key)
        if held is None:
            return
        name, _, value = action.partition(":")
        if name in ("pages", "all_pages", "passages", "whole", "parts", "mode"):
            self._send_otherwise(chat_id, key, name, value)
            return
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
            case "stop_embedding":
                self._embedding.stop(key)
            case "go_on_embedding":
                self._embedding.go_on(key)
            case _:
                self.action_requested.emit(action)

    def _send_otherwise(self, chat_id: int, key: str, name: str, value: str) -> None:
        if name == "pages" and not value:
            self.pages_requested.emit(key)
        elif name in ("pages", "all_pages"):
            self._shelf.choose_pages(chat_id, key, value)
        else:
            self._shelf.choose_mode(chat_id, key, mode_named(value if name == "mode" else name))


def told(problem: Problem | None) -> str:
    """A problem with its fix, as one text."""
    return f"{problem.message} {problem.fix}".strip() if problem else ""


def _replaced(view: ChipView, **changes: object) -> ChipView:
    return msgspec.structs.replace(view, **changes)
