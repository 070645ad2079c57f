"""The reply in progress: asked for, streamed to the screen and the disk, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat.overflow import full_record, removed_record
from app.chat.reply import ActiveReply
from app.chat.summarising import Summarising
from engine.errors import Problem
from engine.worker.protocol import Delta, Failed, Finished, PrefillProgress, Removed

if TYPE_CHECKING:
    from app.chat.branch import Branch
    from app.chat.branches import Branches
    from app.chat.requests import Requests
    from app.chat.screen import ChatScreen
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.reading.controller import PartsController
    from app.store.chat_store import ChatStore
    from app.store.rows import Message, MessageState, Record
    from engine.documents.parts.reading import PartsReading
    from engine.worker.protocol import Turn

Reply = PrefillProgress | Removed | Delta | Finished | Failed


class Replying(QObject):
    """Owns the reply in progress; there is one at most. Main thread.

    Signals:
        began(): A reply was asked for.
        asked(Prompt, GenerationSettings): What the engine was asked for it.
        ended(Message, Future): It is over; the future completes once all of it is on the disk.
        refused(Problem): The engine would not take the request.
    """

    began = Signal()
    asked = Signal(object, object)
    ended = Signal(object, object)
    refused = Signal(object)

    def __init__(
        self,
        *,
        store: ChatStore,
        engine: EngineController,
        requests: Requests,
        branches: Branches,
        screen: ChatScreen,
        notices: Notices,
        hop: MainThread,
        reading: PartsController,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._engine = engine
        self._requests = requests
        self._branches = branches
        self._screen = screen
        self._notices = notices
        self._summarising = Summarising(
            engine=engine, requests=requests, screen=screen, hop=hop, parent=self
        )
        self._reading = reading
        self._reply: ActiveReply | None = None
        self._turns: list[Turn] = []
        engine.reply_event.connect(self._on_reply_event)
        engine.reply_lost.connect(self._on_reply_lost)
        reading.read.connect(self._on_read)
        reading.ended.connect(self._on_reading_ended)

    @property
    def chat_id(self) -> int | None:
        """The chat a reply is being written in."""
        return self._reply.chat_id if self._reply else None

    def is_of_reply(self, event: object) -> bool:
        """Whether an event is of the reply itself, and not of what is done before it."""
        return self._reply is not None and self._reply.request_id == getattr(event, "request_id", 0)

    def message(self) -> Message | None:
        """The reply as it stands."""
        return self._reply.message() if self._reply else None

    def answer(self, branch: Branch, versions: tuple[int, ...] = ()) -> None:
        """Write a reply to what a branch ends with; `versions` are others in its place."""
        saving = self._store.messages.add(
            branch.chat.id, branch.leaf_id, "assistant", state="streaming"
        )
        branch.saving, message = saving.done, saving.value
        message = msgspec.structs.replace(message, versions=(*versions, message.id))
        self.generate(branch, branch.add(message))
        self._screen.append(message)

    def generate(self, branch: Branch, message: Message) -> None:
        """Write into a message of a branch, from what it has already.

        Documents that are read in parts are read first; that may take long, and asks the user.
        """
        loaded = self._engine.session.loaded
        reply = self._reply = ActiveReply(
            message=message,
            stream=self._store.messages.stream(message),
            model=loaded.model.name if loaded else "",
        )
        branch.replace(reply.message())
        request = self._requests.to_read_first(branch, message)
        if request is not None:
            self._reading.begin(request)
        else:
            self._make_room(reply, branch)
        self.began.emit()

    def _make_room(self, reply: ActiveReply, branch: Branch) -> None:
        if self._branches.generation(branch.chat.id).overflow == "summarise":
            self._summarising.begin(
                branch,
                reply.begun,
                on_ready=lambda: self._send(reply, branch),
                on_end=lambda problem: self._give_up(reply, problem),
            )
        else:
            self._send(reply, branch)

    def stop(self) -> None:
        """Stop the reply in progress, and what is done before it begins."""
        self._reading.stop()
        self._summarising.stop()
        self._engine.cancel()

    def close(self) -> None:
        """Stop making room; for the end of the app."""
        self._summarising.close()

    def _send(self, reply: ActiveReply, branch: Branch) -> None:
        if not self._engine.session.can_answer:
            self._give_up(reply, Problem(code="worker.gone"))
            return
        prompt = self._requests.for_reply(branch, reply.begun)
        self._turns = [turn for turn in prompt.turns if turn.role != "system"]
        generation = self._branches.generation(branch.chat.id)
        reply.request_id = self._engine.generate(prompt, generation)
        self.asked.emit(prompt, generation)

    def _give_up(self, reply: ActiveReply, problem: Problem | None) -> None:
        """There is no room for the reply, or it was stopped before it began."""
        self._end(reply, reply.fail(problem) if problem else reply.stop())
        if problem:
            self.refused.emit(problem)

    # ---- what is read first

    def _on_read(self, record: Record, reading: PartsReading) -> None:
        reply = self._reply
        branch = self._branches.get(reply.chat_id) if reply else None
        if reply is None or branch is None:
            return
        saving = self._requests.note(branch, reply.begun, record)
        # The notes are with the question now: nothing has to be kept beside it.
        saving.add_done_callback(lambda done: None if done.exception() else reading.forget_kept())
        self._screen.show_branch(branch)
        self._make_room(reply, branch)

    def _add_what_was_not_read(self, reply: ActiveReply, finished: Finished) -> None:
        """Name parts that failed in the answer itself."""
        branch = self._branches.get(reply.chat_id)
        missing = self._requests.not_read(branch, reply.begun) if branch else ""
        if missing and finished.stop_reason not in ("cancelled", "failed"):
            reply.add_text(f"\n\n{missing}")

    def _on_reading_ended(self, problem: Problem, state: MessageState) -> None:
        if self._reply is not None:
            self._end(self._reply, self._reply.fail(problem, state=state))

    # ---- what the engine says

    def _on_reply_event(self, event: Reply) -> None:
        reply = self._reply
        if reply is None or event.request_id != reply.request_id:
            return
        match event:
            case PrefillProgress():
                self._screen.show_reading(reply.begun, event)
            case Removed():
                gone = event.left_out.turns
                self._note(reply, removed_record(event, self._turns[:gone], self._n_ctx))
                del self._turns[:gone]
            case Delta():
                reply.add(event)
                self._screen.show_delta(reply.begun, event)
            case Finished():
                self._add_what_was_not_read(reply, event)
                if event.stop_reason == "context_full":
                    self._note(reply, full_record(event.n_ctx))
                self._store.chats.set_token_count(reply.chat_id, event.context_used)
                self._end(reply, reply.finish(event))
                for notice in event.notices:
                    self._notices.problem(notice)
            case Failed():
                self._end(reply, reply.fail(event.problem))
                self.refused.emit(event.problem)

    @property
    def _n_ctx(self) -> int:
        loaded = self._engine.session.loaded
        return loaded.context.n_ctx if loaded else 0

    def _note(self, reply: ActiveReply, record: Record) -> None:
        reply.note(record)
        self._store.messages.add_records(reply.message_id, (record,))
        branch = self._branches.get(reply.chat_id)
        if branch is not None:
            branch.replace(reply.message())
            self._screen.show_message(reply.message_id)

    def _on_reply_lost(self, problem: Problem) -> None:
        self._summarising.forget()
        # Reading first brings the engine back by itself, and says so if it cannot.
        if self._reply is not None and not self._reading.is_active:
            self._end(self._reply, self._reply.fail(problem, state="interrupted"))

    def _end(self, reply: ActiveReply, message: Message) -> None:
        self._reply = None
        # What is in memory is newer than the disk now.
        branch = self._branches.get(reply.chat_id)
        if branch is not None:
            message, branch.saving = branch.replace(message), reply.saved
        self._screen.finish(message)
        self.ended.emit(message, reply.saved)
