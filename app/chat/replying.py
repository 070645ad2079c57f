"""The reply in progress: asked for, streamed to the screen and the disk, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat.reply import ActiveReply
from engine.worker.protocol import Delta, Failed, Finished, PrefillProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.chat.branch import Branch
    from app.chat.branches import Branches
    from app.chat.requests import Requests
    from app.chat.screen import ChatScreen
    from app.engine.controller import EngineController
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.store.rows import Message
    from engine.errors import Problem
    from engine.settings import GenerationSettings

Reply = PrefillProgress | Delta | Finished | Failed


class Replying(QObject):
    """Owns the reply in progress; there is one at most. Main thread.

    Signals:
        began(): A reply was asked for.
        ended(Message, Future): It is over; the future completes once all of it is on the disk.
        refused(Problem): The engine would not take the request.
    """

    began = Signal()
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
        generation: Callable[[], GenerationSettings],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._engine = engine
        self._requests = requests
        self._branches = branches
        self._screen = screen
        self._notices = notices
        self._generation = generation
        self._reply: ActiveReply | None = None
        engine.reply_event.connect(self._on_reply_event)
        engine.reply_lost.connect(self._on_reply_lost)

    @property
    def chat_id(self) -> int | None:
        """The chat a reply is being written in."""
        return self._reply.chat_id if self._reply else None

    @property
    def is_here(self) -> bool:
        """Whether that is the open chat."""
        return self._reply is not None and self._reply.chat_id == self._branches.open_id

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

    def generate(self, branch: Branch, message: Message, prefill_reply: str = "") -> None:
        """Write into a message of a branch, from the text it has already."""
        prompt = self._requests.for_reply(branch, message, prefill_reply)
        loaded = self._engine.session.loaded
        self._reply = ActiveReply(
            request_id=self._engine.generate(prompt, self._generation()),
            message=message,
            stream=self._store.messages.stream(message),
            model=loaded.model.name if loaded else "",
        )
        branch.replace(self._reply.message())
        self.began.emit()

    # ---- what the engine says

    def _on_reply_event(self, event: Reply) -> None:
        reply = self._reply
        if reply is None or event.request_id != reply.request_id:
            return
        match event:
            case PrefillProgress():
                self._screen.show_reading(reply.begun, event)
            case Delta():
                reply.add(event)
                self._screen.show_delta(reply.begun, event)
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
        self._screen.finish(message)
        self.ended.emit(message, reply.saved)
