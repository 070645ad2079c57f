"""The questions of all chats: those that wait for the engine, and how one is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.store.chats import title_from

if TYPE_CHECKING:
    from app.chat.branch import Branch
    from app.chat.branches import Branches
    from app.chat.replying import Replying
    from app.chat.requests import Requests
    from app.chat.screen import ChatScreen
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.store.chat_store import ChatStore
    from app.store.rows import Record


class Questions(QObject):
    """Owns the queue; what is first in it goes out once nothing holds it up. Main thread.

    Signals:
        sent(): One left the queue and is in its chat now.
    """

    sent = Signal()

    def __init__(
        self,
        *,
        store: ChatStore,
        engine: EngineController,
        shelf: Shelf,
        requests: Requests,
        branches: Branches,
        screen: ChatScreen,
        replying: Replying,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._engine = engine
        self._shelf = shelf
        self._requests = requests
        self._branches = branches
        self._screen = screen
        self._replying = replying
        self._queue: list[tuple[int, str]] = []
        engine.session_changed.connect(lambda _session: self.send_next())
        shelf.changed.connect(lambda _chat_id: self.send_next())

    # ---- the queue

    @property
    def is_busy(self) -> bool:
        """Whether a reply is written, or passages are searched for one."""
        return self._replying.chat_id is not None or self._requests.is_searching

    def queued(self, chat_id: int | None) -> tuple[str, ...]:
        """What waits in a chat, in its order."""
        return tuple(text for id_, text in self._queue if id_ == chat_id)

    def add(self, chat_id: int, text: str) -> None:
        """Ask in a chat, at once or when what is before it has been answered."""
        self._queue.append((chat_id, text))
        self.send_next()

    def take_back(self, chat_id: int | None, index: int) -> bool:
        """Do not ask what waits in a chat at a place; False when nothing waits there."""
        places = [i for i, (id_, _) in enumerate(self._queue) if id_ == chat_id]
        if not 0 <= index < len(places):
            return False
        del self._queue[places[index]]
        return True

    def forget(self, chat_id: int) -> None:
        """A chat was deleted: nothing is asked in it any more."""
        self._queue = [entry for entry in self._queue if entry[0] != chat_id]

    def send_next(self) -> None:
        """Ask what is first, unless the engine, a document or a search holds it up."""
        if not self._queue or self.is_busy or not self._engine.session.can_answer:
            return
        if self._shelf.is_busy(self._queue[0][0]):
            return
        chat_id, text = self._queue[0]
        branch = self._branches.read(chat_id, writing_in=self._replying.chat_id)
        if branch is None:
            del self._queue[0]
            return

        leaf_id = branch.leaf_id

        def ask(records: tuple[Record, ...]) -> None:
            # While passages were searched for it, it may have been taken back, or other messages
            # be shown: these leave it other room, and it is searched for again.
            now = self._branches.read(chat_id, writing_in=self._replying.chat_id)
            is_queued = (chat_id, text) in self._queue
            if is_queued and now is not None and now.leaf_id == leaf_id:
                self._queue.remove((chat_id, text))
                self.ask(now, text, found=records)
                self.sent.emit()

        self._requests.find_passages(chat_id, branch.messages, text, ask)

    # ---- asking

    def ask(
        self,
        branch: Branch,
        text: str,
        versions: tuple[int, ...] = (),
        found: tuple[Record, ...] = (),
    ) -> None:
        """Put a question behind a branch, with its documents, and have it answered.

        Args:
            branch: Where it is asked.
            text: The question.
            versions: Other questions in its place.
            found: Records of the passages for it.
        """
        chat_id = branch.chat.id
        records = (*self._shelf.records(chat_id), *found)
        saving = self._store.messages.add(chat_id, branch.leaf_id, "user", text, records=records)
        branch.saving, message = saving.done, saving.value
        message = msgspec.structs.replace(message, versions=(*versions, message.id))
        if not branch.chat.title:
            self._branches.rename(chat_id, title_from(text))
        documents = self._shelf.mark_sent(chat_id, message.id)
        branch.add(message, documents=documents)
        self._screen.append(message, documents)
        self._replying.answer(branch)
