"""The open chat: sends, streams, edits, regenerates, and keeps every word on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat import citing
from app.chat.branch import Branch
from app.chat.citation_keeper import CitationKeeper
from app.chat.prompting import prompt_for
from app.chat.reply import ActiveReply
from app.chat.views import message_view
from app.documents.passages import given_by, passages_record, passages_text
from app.store.chats import title_from
from app.store.rows import ChatContents
from engine.errors import Problem
from engine.worker.protocol import Delta, Failed, Finished, PrefillProgress
from widgets.chat.viewdata import ProgressView

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.chat.citing import KeptCitation
    from app.documents.search import Given, PassageSearch
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.store.rows import Chat, Deletion, Message, Record
    from engine.errors import UserError
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt
    from widgets.chat.chat_view import ChatView

Reply = PrefillProgress | Delta | Finished | Failed


class ChatController(QObject):
    """Owns which chat is open, the reply in progress and the queue. Main thread.

    A reply belongs to the chat it was asked in: another chat may be opened while it is written.

    Signals:
        opened(int | None): Another chat is open; None is a new, empty one.
        list_changed(): Titles, order or activity of chats changed.
        content_changed(): What the next request would hold changed.
        refused(Problem): The engine would not take a request; the question was kept.
    """

    opened = Signal(object)
    list_changed = Signal()
    content_changed = Signal()
    refused = Signal(object)

    def __init__(
        self,
        *,
        store: ChatStore,
        engine: EngineController,
        view: ChatView,
        shelf: Shelf,
        search: PassageSearch,
        notices: Notices,
        hop: MainThread,
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
        self._is_searching = False
        self._notices = notices
        self._hop = hop
        self._generation = generation
        self._chat_id: int | None = None
        self._branches: dict[int, Branch] = {}
        self._citations = CitationKeeper(
            store=store, shelf=shelf, hop=hop, branches=self._branches, parent=self
        )
        self._citations.kept.connect(self._on_citations_kept)
        self._reply: ActiveReply | None = None
        self._queue: list[tuple[int, str]] = []
        self._new_draft = new_draft
        view.restore_draft(new_draft)
        engine.reply_event.connect(self._on_reply_event)
        engine.reply_lost.connect(self._on_reply_lost)
        engine.session_changed.connect(lambda _session: self._send_next())
        shelf.changed.connect(lambda _chat_id: self._send_next())

    # ---- what others ask

    @property
    def chat_id(self) -> int | None:
        """The open chat; None is one that holds nothing yet."""
        return self._chat_id

    @property
    def branch(self) -> Branch | None:
        """The open chat's messages."""
        return self._branches.get(self._chat_id) if self._chat_id is not None else None

    @property
    def replying_in(self) -> int | None:
        """The chat a reply is being written in."""
        return self._reply.chat_id if self._reply else None

    @property
    def queued(self) -> tuple[str, ...]:
        """Prompts of the open chat that wait for their turn."""
        return tuple(text for chat_id, text in self._queue if chat_id == self._chat_id)

    def prompt(self, draft: str = "") -> Prompt:
        """What would be sent now, with what stands in the composer."""
        branch = self.branch
        messages = [m for m in branch.messages if m.state != "streaming"] if branch else []
        without = self._prompt_of(self._chat_id, messages, draft=draft)
        if not self._has_passages(self._chat_id):
            return without
        found = self._search.for_draft(draft, self._shelf.parts(self._chat_id), without)
        return msgspec.structs.replace(without, passages=found)

    # ---- opening

    def open(self, chat_id: int | None) -> None:
        """Show a chat from its end; None begins a new one."""
        self._keep_draft()
        branch = self._branch_of(chat_id) if chat_id is not None else None
        self._chat_id = branch.chat.id if branch else None
        if self._reply and self._is_replying_here() and branch:
            branch.replace(self._reply.message())
        self._show_all()
        self._view.restore_draft(branch.chat.draft if branch else self._new_draft)
        self.opened.emit(self._chat_id)
        self.content_changed.emit()

    def ensure_chat(self) -> int:
        """The open chat's id; a new chat is stored now."""
        if self._chat_id is None:
            saving = self._store.chats.create()
            chat = saving.value
            self._branches[chat.id] = Branch(ChatContents(chat=chat), saving.done)
            self._chat_id = chat.id
            self._new_draft = ""
            self.opened.emit(chat.id)
            # The list is read from the disk.
            self._hop.when_done(saving.done, lambda _none: self.list_changed.emit())
        return self._chat_id

    def rename(self, chat_id: int, title: str) -> None:
        """Give a chat another title."""
        title = " ".join(title.split())
        if not title:
            return
        branch = self._branches.get(chat_id)
        done = self._store.chats.rename(chat_id, title)
        if branch is not None:
            branch.chat = msgspec.structs.replace(branch.chat, title=title)
            branch.saving = done
        self._hop.when_done(done, lambda _none: self.list_changed.emit(), self._notices.error)
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
        self._set_draft(self._branches[chat_id], "")
        self._queue.append((chat_id, text))
        self._send_next()
        self.content_changed.emit()

    def unqueue(self, index: int) -> None:
        """Take back a queued prompt of the open chat."""
        places = [i for i, (chat_id, _) in enumerate(self._queue) if chat_id == self._chat_id]
        if 0 <= index < len(places):
            del self._queue[places[index]]
            self.content_changed.emit()

    def stop(self) -> None:
        """Stop the reply, or the load, in progress."""
        self._engine.cancel()

    def regenerate(self, message_id: int | None = None) -> None:
        """Write another version of a reply; the last one when none is named."""
        message = self._assistant_message(message_id)
        branch = self.branch
        if message is None or branch is None or not self._may_answer():
            return
        place = branch.messages.index(message)

        def answer() -> None:
            self._answer(branch, versions=branch.cut_before(message.id))
            self._show_if_open(branch)

        self._with_passages(branch, branch.messages[:place], answer)

    def edit_and_resend(self, message_id: int, text: str) -> None:
        """Ask a question anew; the old one and its answers stay as a version."""
        branch = self.branch
        if branch is None or not text.strip() or not self._may_answer():
            return
        asked = branch.find(message_id)
        before = branch.messages[: branch.messages.index(asked)] if asked else []

        def ask(records: tuple[Record, ...]) -> None:
            versions = branch.cut_before(message_id)
            self._ask(branch, text.strip(), versions=versions, found=records)
            self._show_if_open(branch)

        self._find_passages(branch.chat.id, before, text.strip(), ask)

    def go_on(self, message_id: int) -> None:
        """Continue a reply that was stopped or interrupted."""
        branch = self.branch
        message = branch.find(message_id) if branch else None
        if branch is None or message is None or message.id != branch.leaf_id:
            return
        if self._may_answer():
            self._generate(branch, message, prefill_reply=message.text)
            self._show_message(message_id)

    # ---- versions, branches, deleting

    def show_version(self, message_id: int, index: int) -> None:
        """Show another version of a message and what follows it."""
        message = self.branch.find(message_id) if self.branch else None
        if message and 0 <= index < len(message.versions) and not self._is_replying_here():
            future = self._store.messages.select(message.versions[index])
            self._hop.when_done(future, lambda _leaf: self._reload(), self._notices.error)

    def branch_off(self, message_id: int) -> None:
        """Copy the chat up to a message into a new chat and open that."""
        if self._chat_id is None:
            return
        future = self._store.copies.branch(message_id)
        self._hop.when_done(future, self._on_branched, self._notices.error)

    def delete(self, message_id: int) -> None:
        """Delete a message with what follows it; can be undone."""
        if self._is_replying_here():
            self._notices.say(self.tr("Stop the reply before deleting in this chat."))
            return
        future = self._store.messages.delete(message_id)
        self._hop.when_done(future, self._on_deleted, self._notices.error)

    def forget_branch(self, chat_id: int) -> None:
        """A chat was deleted: stop what runs in it and open a new one if it was open."""
        self._queue = [entry for entry in self._queue if entry[0] != chat_id]
        if self._reply and self._reply.chat_id == chat_id:
            self._engine.cancel()
        self._engine.forget(str(chat_id))
        if self._chat_id == chat_id:
            self.open(None)

    def save_draft(self) -> str:
        """Keep what stands in the composer, at the end of the app; the draft of a new chat."""
        self._keep_draft()
        return self._new_draft

    # ---- asking the engine

    def _send_next(self) -> None:
        if not self._queue or self._is_busy or not self._engine.session.can_answer:
            return
        if self._shelf.is_busy(self._queue[0][0]):
            return
        chat_id, text = self._queue[0]
        branch = self._branch_of(chat_id)
        if branch is None:
            del self._queue[0]
            return

        def ask(records: tuple[Record, ...]) -> None:
            # It may have been taken back while passages were searched for it.
            if (chat_id, text) in self._queue:
                self._queue.remove((chat_id, text))
                self._ask(branch, text, found=records)
                self.content_changed.emit()

        self._find_passages(chat_id, branch.messages, text, ask)

    def _ask(
        self,
        branch: Branch,
        text: str,
        versions: tuple[int, ...] = (),
        found: tuple[Record, ...] = (),
    ) -> None:
        chat_id = branch.chat.id
        records = (*self._shelf.records(chat_id), *found)
        saving = self._store.messages.add(chat_id, branch.leaf_id, "user", text, records=records)
        branch.saving, message = saving.done, saving.value
        message = msgspec.structs.replace(message, versions=(*versions, message.id))
        if not branch.chat.title:
            title = title_from(text)
            branch.chat = msgspec.structs.replace(branch.chat, title=title)
            self._store.chats.rename(chat_id, title)
        documents = self._shelf.mark_sent(chat_id, message.id)
        branch.add(message, documents=documents)
        if chat_id == self._chat_id:
            self._view.append_message(message_view(message, documents=documents))
        self._answer(branch)

    def _answer(self, branch: Branch, versions: tuple[int, ...] = ()) -> None:
        saving = self._store.messages.add(
            branch.chat.id, branch.leaf_id, "assistant", state="streaming"
        )
        branch.saving, message = saving.done, saving.value
        message = msgspec.structs.replace(message, versions=(*versions, message.id))
        self._generate(branch, branch.add(message))
        if branch.chat.id == self._chat_id:
            self._view.append_message(message_view(message))

    def _generate(self, branch: Branch, message: Message, prefill_reply: str = "") -> None:
        before = [m for m in branch.messages if m.id != message.id]
        question = next((m for m in reversed(before) if m.role == "user"), None)
        given = given_by(question.records) if question else ()
        passages = passages_text(self._shelf.parts(branch.chat.id), given)
        prompt = self._prompt_of(
            branch.chat.id, before, passages=passages, prefill_reply=prefill_reply
        )
        loaded = self._engine.session.loaded
        self._reply = ActiveReply(
            request_id=self._engine.generate(prompt, self._generation()),
            message=message,
            stream=self._store.messages.stream(message),
            model=loaded.model.name if loaded else "",
        )
        branch.replace(self._reply.message())
        self.list_changed.emit()

    # ---- what the engine says

    def _on_reply_event(self, event: Reply) -> None:
        reply = self._reply
        if reply is None or event.request_id != reply.request_id:
            return
        here = reply.chat_id == self._chat_id
        match event:
            case PrefillProgress() if here:
                self._view.set_progress(str(reply.message_id), _reading(event))
            case Delta():
                reply.add(event)
                if here:
                    text, thinking = ("", event.text) if event.thinking else (event.text, "")
                    self._view.stream_delta(str(reply.message_id), text, thinking)
            case Finished():
                self._store.chats.set_token_count(reply.chat_id, event.context_used)
                self._end(reply, reply.finish(event))
                for notice in event.notices:
                    self._notices.problem(notice)
            case Failed():
                self._end(reply, reply.fail(event.problem))
                self.refused.emit(event.problem)

    def _on_reply_lost(self, problem: Problem) -> None:
        if self._reply is not None:
            self._end(self._reply, self._reply.fail(problem, state="interrupted"))

    def _end(self, reply: ActiveReply, message: Message) -> None:
        self._reply = None
        # What is in memory is newer than the disk now.
        branch = self._branches.get(reply.chat_id)
        if branch is not None:
            message, branch.saving = branch.replace(message), reply.saved
        if reply.chat_id == self._chat_id:
            self._view.finish_message(message_view(message))
        if reply.saved is not None and message.text:
            # Not before: the end of the reply would write over what is kept with it.
            self._hop.when_done(reply.saved, lambda _none: self._citations.check(message))
        self.list_changed.emit()
        self.content_changed.emit()
        self._send_next()

    # ---- passages and citations

    def _prompt_of(
        self,
        chat_id: int | None,
        messages: list[Message],
        *,
        draft: str | None = None,
        passages: str = "",
        prefill_reply: str = "",
    ) -> Prompt:
        return prompt_for(
            chat_id,
            messages,
            self._shelf.prompt_documents(chat_id),
            instruction=self._shelf.instruction(chat_id),
            passages=passages,
            draft=draft,
            prefill_reply=prefill_reply,
        )

    def _has_passages(self, chat_id: int | None) -> bool:
        return any(part.mode == "passages" for part in self._shelf.parts(chat_id))

    def _find_passages(
        self,
        chat_id: int,
        before: list[Message],
        question: str,
        then: Callable[[tuple[Record, ...]], None],
    ) -> None:
        """Go on with the records of the passages for a question; at once where none are sent."""
        parts = self._shelf.parts(chat_id)
        if not self._has_passages(chat_id):
            then(())
            return
        pages = {part.document.id: part.document.pages for part in parts}

        def found(given: Given) -> None:
            self._is_searching = False
            if self._engine.session.can_answer and self._shelf.parts(chat_id) == parts:
                then(tuple(passages_record(each, pages[each.document_id]) for each in given))
            self._send_next()

        def failed(_error: UserError) -> None:
            # The engine is gone, and has said so; what is queued waits for the next one.
            self._is_searching = False

        self._is_searching = True
        without = self._prompt_of(chat_id, before, draft=question)
        self._search.find(question, parts, without, found, failed)

    def _with_passages(
        self, branch: Branch, messages: list[Message], then: Callable[[], None]
    ) -> None:
        """Go on once the last question has passages of every document that is sent so."""
        question = next((m for m in reversed(messages) if m.role == "user"), None)
        known = {each.document_id for each in given_by(question.records)} if question else set()
        parts = self._shelf.parts(branch.chat.id)
        if question is None or all(
            part.document.id in known for part in parts if part.mode == "passages"
        ):
            then()
            return
        place = messages.index(question)

        def noted(records: tuple[Record, ...]) -> None:
            new = tuple(one for one in records if one.data["document_id"] not in known)
            branch.saving = self._store.messages.add_records(question.id, new)
            kept = (*question.records, *new)
            branch.replace(msgspec.structs.replace(question, records=kept))
            then()

        self._find_passages(branch.chat.id, messages[:place], question.text, noted)

    def _on_citations_kept(self, message: Message) -> None:
        if message.chat_id == self._chat_id:
            self._show_message(message.id)

    def citation(self, target: str) -> KeptCitation | None:
        """What a citation chip of the open chat stands for."""
        _scheme, _, place = target.partition(":")
        message_id, _, index = place.partition(":")
        if self.branch is None or not (message_id.isdecimal() and index.isdecimal()):
            return None
        message = self.branch.find(int(message_id))
        return citing.citation_at(message, int(index)) if message else None

    def close(self) -> None:
        """Stop checking citations; for the end of the app."""
        self._citations.close()

    # ---- the view

    def _show_if_open(self, branch: Branch) -> None:
        if branch.chat.id == self._chat_id:
            self._show_all()

    def _show_all(self) -> None:
        branch = self.branch
        messages = branch.messages if branch else []
        self._view.set_messages(
            [message_view(m, documents=branch.documents_of(m.id)) for m in messages]
            if branch
            else []
        )
        prompts = [message.text for message in messages if message.role == "user"]
        self._view.set_last_prompt(prompts[-1] if prompts else "")

    def _show_message(self, message_id: int) -> None:
        branch = self.branch
        message = branch.find(message_id) if branch else None
        if branch and message:
            documents = branch.documents_of(message_id)
            self._view.update_message(message_view(message, documents=documents))

    def _reload(self) -> None:
        if self._chat_id is not None and not self._is_replying_here():
            contents = self._store.messages.contents(self._chat_id)
            if contents:
                self._branches[self._chat_id] = Branch(contents)
            self._show_all()
            self.content_changed.emit()

    def _on_branched(self, chat: Chat) -> None:
        self.list_changed.emit()
        self.open(chat.id)

    def _on_deleted(self, deletion: Deletion) -> None:
        self._reload()
        self._notices.undoable(
            self.tr("Message deleted, with what followed it."), lambda: self._undo(deletion)
        )

    def _undo(self, deletion: Deletion) -> None:
        future = self._store.messages.undo(deletion)
        self._hop.when_done(future, lambda _none: self._reload(), self._notices.error)

    # ---- small questions

    def _branch_of(self, chat_id: int) -> Branch | None:
        """A chat's messages: from the disk, unless the memory is newer."""
        branch = self._branches.get(chat_id)
        is_newer = branch is not None and not branch.is_saved
        if not is_newer and chat_id not in (self._chat_id, self.replying_in):
            contents = self._store.messages.contents(chat_id)
            if contents is None:
                return None
            self._branches[chat_id] = Branch(contents)
        return self._branches[chat_id]

    def _assistant_message(self, message_id: int | None) -> Message | None:
        branch = self.branch
        if branch is None:
            return None
        if message_id is not None:
            return branch.find(message_id)
        replies = [message for message in branch.messages if message.role == "assistant"]
        return replies[-1] if replies else None

    def _may_answer(self) -> bool:
        if self._engine.session.can_answer and not self._is_busy:
            return True
        if self._engine.session.loaded is None:
            self.refused.emit(Problem(code="worker.no_model"))
        else:
            self._notices.say(self.tr("Wait for the reply in progress, or stop it first."))
        return False

    @property
    def _is_busy(self) -> bool:
        """Whether a reply is written, or passages are searched for one."""
        return self._reply is not None or self._is_searching

    def _is_replying_here(self) -> bool:
        return self._reply is not None and self._reply.chat_id == self._chat_id

    def _keep_draft(self) -> None:
        branch = self.branch
        if branch is None:
            self._new_draft = self._view.draft()
        elif branch.chat.draft != self._view.draft():
            self._set_draft(branch, self._view.draft())

    def _set_draft(self, branch: Branch, draft: str) -> None:
        branch.chat = msgspec.structs.replace(branch.chat, draft=draft)
        branch.saving = self._store.chats.set_draft(branch.chat.id, draft)


def _reading(progress: PrefillProgress) -> ProgressView:
    return ProgressView(
        phase="reading",
        done=progress.done,
        total=progress.total,
        per_second=progress.tokens_per_second,
        seconds_left=progress.seconds_left,
    )
