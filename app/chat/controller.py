"""The open chat: what the user does in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat import citing
from app.chat.branches import Branches
from app.chat.overflow import edited_summary
from app.chat.screen import ChatScreen
from app.chat.tree_changes import TreeChanges
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from app.chat.answering import Answering
    from app.chat.branch import Branch
    from app.chat.citing import KeptCitation
    from app.documents.automatic_modes import AutomaticModes
    from app.documents.search import PassageSearch
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.reading.controller import PartsController
    from app.store.chat_store import ChatStore
    from app.store.rows import Chat, Message
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt
    from widgets.chat.chat_view import ChatView


class ChatController(QObject):
    """Opens chats, sends, edits, regenerates. Main thread.

    A reply belongs to the chat it was asked in: another chat may be opened while it is written.

    Signals:
        opened(int | None): Another chat is open; None is a new, empty one.
        list_changed(): Titles, order or activity of chats changed.
        content_changed(): What the next request would hold changed.
        refused(Problem): The engine would not take a request; the question was kept.
        asked(Prompt, GenerationSettings): What the engine was asked for a reply.
    """

    opened = Signal(object)
    list_changed = Signal()
    content_changed = Signal()
    refused = Signal(object)
    asked = Signal(object, object)

    def __init__(
        self,
        *,
        store: ChatStore,
        engine: EngineController,
        view: ChatView,
        shelf: Shelf,
        search: PassageSearch,
        modes: AutomaticModes,
        notices: Notices,
        hop: MainThread,
        reading: PartsController,
        generation: Callable[[], GenerationSettings],
        new_draft: str = "",
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._engine = engine
        self._view = view
        self._shelf = shelf
        self._search = search
        self._modes = modes
        self._notices = notices
        self._hop = hop
        self._reading = reading
        self._branches = Branches(store, generation)
        self._screen = ChatScreen(view, self._branches)
        self._changes = TreeChanges(
            messages=store.messages,
            branches=self._branches,
            screen=self._screen,
            notices=notices,
            hop=hop,
            writing_in=lambda: self.replying_in,
            parent=self,
        )
        self._changes.shown.connect(self.content_changed)
        self._answering: Answering | None = None
        self._new_draft = new_draft
        view.restore_draft(new_draft)
        view.record_edited.connect(self.edit_summary)

    def answering(self) -> Answering:
        """Those who answer. They are loaded with the first question, or once the window is painted.

        Before, nothing was asked: who only wants to know what goes on need not have them loaded.
        """
        if self._answering is not None:
            return self._answering
        from app.chat.answering import Answering

        made = self._answering = Answering(
            store=self._store,
            engine=self._engine,
            shelf=self._shelf,
            search=self._search,
            modes=self._modes,
            notices=self._notices,
            hop=self._hop,
            reading=self._reading,
            branches=self._branches,
            changes=self._changes,
            screen=self._screen,
            view=self._view,
            parent=self,
        )
        made.citations.kept.connect(self._on_citations_kept)
        made.replying.began.connect(self.list_changed)
        made.replying.ended.connect(self._on_reply_ended)
        made.replying.refused.connect(self.refused)
        made.replying.asked.connect(self.asked)
        made.again.refused.connect(self.refused)
        made.questions.sent.connect(self.content_changed)
        return made

    # ---- what others ask

    @property
    def chat_id(self) -> int | None:
        """The open chat; None is one that holds nothing yet."""
        return self._branches.open_id

    @property
    def branch(self) -> Branch | None:
        """The open chat's messages."""
        return self._branches.open

    @property
    def replying_in(self) -> int | None:
        """The chat a reply is being written in."""
        return self._answering.replying.chat_id if self._answering else None

    @property
    def is_replying_here(self) -> bool:
        """Whether that is the open chat."""
        return self.replying_in is not None and self.replying_in == self.chat_id

    def is_of_reply(self, event: object) -> bool:
        """Whether an event is of the reply itself, and not of what is done before it."""
        return self._answering is not None and self._answering.replying.is_of_reply(event)

    @property
    def queued(self) -> tuple[str, ...]:
        """Prompts of the open chat that wait for their turn."""
        return self._answering.questions.queued(self.chat_id) if self._answering else ()

    def generation(self) -> GenerationSettings:
        """The settings of the open chat's replies."""
        return self._branches.generation(self.chat_id)

    def prepare(self, draft: str = "") -> None:
        """Have decided what goes along with a draft; `prompt` holds that a moment later."""
        self.answering().requests.prepare_draft(self.chat_id, self.branch, draft)

    def prompt(self, draft: str = "") -> Prompt:
        """What would be sent now, with what stands in the composer. It starts nothing."""
        return self.answering().requests.for_draft(self.chat_id, self.branch, draft)

    def citation(self, target: str) -> KeptCitation | None:
        """What a citation chip of the open chat stands for."""
        _scheme, _, place = target.partition(":")
        message_id, _, index = place.partition(":")
        if self.branch is None or not (message_id.isdecimal() and index.isdecimal()):
            return None
        message = self.branch.find(int(message_id))
        return citing.citation_at(message, int(index)) if message else None

    # ---- opening

    def open(self, chat_id: int | None) -> None:
        """Show a chat from its end; None begins a new one."""
        self._keep_draft()
        writing_in = self.replying_in
        branch = None if chat_id is None else self._branches.read(chat_id, writing_in=writing_in)
        self._branches.open_id = branch.chat.id if branch else None
        growing = self._answering.replying.message() if self._answering else None
        if growing and branch and self.is_replying_here:
            branch.replace(growing)
        self._screen.show_all()
        self._view.restore_draft(branch.chat.draft if branch else self._new_draft)
        self.opened.emit(self.chat_id)
        self.content_changed.emit()

    def ensure_chat(self) -> int:
        """The open chat's id; a new chat is stored now."""
        if self.chat_id is not None:
            return self.chat_id
        branch = self._branches.create()
        self._new_draft = ""
        self.opened.emit(branch.chat.id)
        if branch.saving is not None:
            # The list is read from the disk.
            self._hop.when_done(branch.saving, lambda _none: self.list_changed.emit())
        return branch.chat.id

    def rename(self, chat_id: int, title: str) -> None:
        """Give a chat another title."""
        title = " ".join(title.split())
        if not title:
            return
        done = self._branches.rename(chat_id, title)
        self._hop.when_done(done, lambda _none: self.list_changed.emit(), self._notices.error)
        self.content_changed.emit()

    def set_overflow(self, policy: str) -> None:
        """Choose what happens in the open chat when its context is full."""
        self.ensure_chat()
        if self.branch is not None and self.generation().overflow != policy:
            self._branches.set_setting(self.branch, "overflow", policy)
            self.content_changed.emit()

    # ---- sending

    def send(self, text: str) -> None:
        """Ask, or queue while the engine is busy; without a model the text goes back."""
        text = text.strip()
        if not text:
            return
        session = self._engine.session
        if session.loaded is None and session.request_id == 0:
            self._view.restore_draft(text)
            self.refused.emit(Problem(code="worker.no_model"))
            return
        chat_id = self.ensure_chat()
        if self.branch is not None:
            self._branches.set_draft(self.branch, "")
        self.answering().questions.add(chat_id, text)
        self.content_changed.emit()

    def unqueue(self, index: int) -> None:
        """Take back a queued prompt of the open chat."""
        if self.answering().questions.take_back(self.chat_id, index):
            self.content_changed.emit()

    def stop(self) -> None:
        """Stop the reply, or the load, in progress."""
        self.answering().replying.stop()

    def edit_summary(self, record_id: str, text: str) -> None:
        """Change the summary that stands for older messages."""
        message_id, _, index = record_id.partition(":")
        branch = self.branch
        message = branch.find(int(message_id)) if branch else None
        if branch is None or message is None or not text.strip():
            return
        at = int(index)
        record = edited_summary(message.records[at], text.strip())
        records = (*message.records[:at], record, *message.records[at + 1 :])
        branch.saving = self._store.messages.set_record(message.id, at, record)
        branch.replace(msgspec.structs.replace(message, records=records))
        self._screen.show_message(message.id)
        self.content_changed.emit()

    # ---- versions, branches, deleting

    def show_version(self, message_id: int, index: int) -> None:
        """Show another version of a message and what follows it."""
        if self.chat_id is not None and not self.is_replying_here:
            self._changes.show_version(self.chat_id, message_id, index)

    def branch_off(self, message_id: int) -> None:
        """Copy the chat up to a message into a new chat and open that."""
        if self.chat_id is None:
            return
        future = self._store.copies.branch(message_id)
        self._hop.when_done(future, self._on_branched, self._notices.error)

    def delete(self, message_id: int) -> None:
        """Delete a message with what follows it; can be undone."""
        if self.is_replying_here:
            self._notices.say(self.tr("Stop the reply before deleting in this chat."))
            return
        if self.chat_id is not None:
            self._changes.delete(self.chat_id, message_id)

    def forget_branch(self, chat_id: int) -> None:
        """A chat was deleted: stop what runs in it and open a new one if it was open."""
        self.answering().questions.forget(chat_id)
        if self.replying_in == chat_id:
            self.stop()
        self._branches.forget(chat_id)
        self._engine.forget(str(chat_id))
        if self.chat_id == chat_id:
            self.open(None)

    def save_draft(self) -> str:
        """Keep what stands in the composer, at the end of the app; the draft of a new chat."""
        self._keep_draft()
        return self._new_draft

    def close(self) -> None:
        """Stop what goes on in the background; for the end of the app."""
        if self._answering is not None:
            self._answering.close()

    # ---- what replies say

    def _on_reply_ended(self, message: Message, saved: Future[None] | None) -> None:
        if saved is not None and message.text:
            # Not before: the end of the reply would write over what is kept with it.
            self._hop.when_done(saved, lambda _none: self.answering().citations.check(message))
        self.list_changed.emit()
        self.content_changed.emit()
        self._changes.release(message.chat_id)
        self.answering().questions.send_next()

    def _on_citations_kept(self, message: Message) -> None:
        if message.chat_id == self.chat_id:
            self._screen.show_message(message.id)

    # ---- what the store says

    def _on_branched(self, chat: Chat) -> None:
        self.list_changed.emit()
        self.open(chat.id)

    def _keep_draft(self) -> None:
        branch = self.branch
        if branch is None:
            self._new_draft = self._view.draft()
        elif branch.chat.draft != self._view.draft():
            self._branches.set_draft(branch, self._view.draft())
