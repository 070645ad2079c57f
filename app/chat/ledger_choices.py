"""What can be done about the parts of the context, and doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Signal

from engine.settings import GenerationSettings, info_for
from widgets.chat.viewdata import ChoiceView

if TYPE_CHECKING:
    from app.chat.controller import ChatController
    from app.documents.held import Held
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from engine.worker.protocol import Segment
    from widgets.chat.chat_view import ChatView


def _tr(text: str) -> str:
    return QCoreApplication.translate("LedgerChoices", text)


def policy_choices(policy: str) -> tuple[ChoiceView, ...]:
    """What can happen to a chat whose context is full; one is in force."""
    words = {
        "stop": _tr("Stop and ask"),
        "drop": _tr("Drop the oldest messages"),
        "summarise": _tr("Summarise the oldest messages"),
        "rolling": _tr("Roll: also while a reply is written"),
    }
    group = _tr("When the context is full")
    return tuple(
        ChoiceView(f"overflow:{name}", label, group, is_chosen=name == policy)
        for name, label in words.items()
    )


def document_choices(held: Held) -> tuple[ChoiceView, ...]:
    """How a document can be sent, and the way out."""
    words = {
        "automatic": _tr("Automatic: whole if it fits"),
        "whole": _tr("Whole"),
        "passages": _tr("Passages that answer to each question"),
        "parts": _tr("Read in parts"),
    }
    group = _tr("Send it")
    modes = [
        ChoiceView(f"mode:{name}", label, group, is_chosen=name == held.mode)
        for name, label in words.items()
    ]
    pages = []
    if held.page_count and held.page_count > 1:
        pages.append(ChoiceView("pages", _tr("Choose pages …")))
    if held.selection:
        pages.append(ChoiceView("all_pages", _tr("All pages")))
    return (*modes, *pages, ChoiceView("remove", _tr("Remove from this chat")))


class LedgerChoices(QObject):
    """Main thread.

    Signals:
        document_choice_made(str key, str choice): About a document of the open chat.
        action_requested(str): ``more_context:N``, ``settings:TITLE``.
    """

    document_choice_made = Signal(str, str)
    action_requested = Signal(str)

    def __init__(
        self,
        *,
        engine: EngineController,
        chat: ChatController,
        shelf: Shelf,
        view: ChatView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._chat = chat
        self._shelf = shelf
        view.ledger_choice_requested.connect(self._on_choice)

    @property
    def is_undecided(self) -> bool:
        """Whether it is open how some document of the chat goes along."""
        return any(held.is_undecided for held in self._shelf.held(self._chat.chat_id))

    def of(self, segment: Segment) -> tuple[ChoiceView, ...]:
        """The choices for a part."""
        match segment.kind:
            case "document":
                held = self._held(segment.document_id)
                return document_choices(held) if held else ()
            case "chat":
                return self._policies()
            case "free":
                return (*self._policies(), *self._longer_context())
            case "system":
                return (_setting("system_prompt"),)
            case "reply_reserve":
                return (_setting("max_tokens"),)
            case _:
                return ()

    def note(self, segment: Segment) -> str:
        """Why a document is sent the way it is, and what was not read of it."""
        held = self._held(segment.document_id) if segment.document_id else None
        if held is None:
            return ""
        from app.documents.view_words import unread_of

        unread = unread_of(held.document.notes) if held.document else ""
        if held.mode != "automatic":
            return unread
        why = _tr("Automatic: it fits with room for a reply, so it is sent whole.")
        return "\n".join(filter(None, (why, unread)))

    def _policies(self) -> tuple[ChoiceView, ...]:
        return policy_choices(self._chat.generation().overflow)

    def _longer_context(self) -> tuple[ChoiceView, ...]:
        loaded = self._engine.session.loaded
        if loaded is None:
            return ()
        doubled = min(2 * loaded.context.n_ctx, loaded.model.n_ctx_train)
        if doubled <= loaded.context.n_ctx:
            return ()
        label = _tr("Context of {n_ctx:,} tokens").format(n_ctx=doubled)
        return (ChoiceView(f"more_context:{doubled}", label),)

    def _held(self, key: str) -> Held | None:
        chat_id = self._chat.chat_id
        return self._shelf.find(chat_id, key) if chat_id is not None else None

    def _on_choice(self, segment_id: str, choice: str) -> None:
        name, _, value = choice.partition(":")
        if name == "overflow":
            self._chat.set_overflow(value)
        elif name in ("more_context", "settings"):
            self.action_requested.emit(choice)
        else:
            self.document_choice_made.emit(segment_id, choice)


def _setting(name: str) -> ChoiceView:
    title = info_for(GenerationSettings, name).title
    return ChoiceView(f"settings:{title}", _tr("{title} …").format(title=title))
