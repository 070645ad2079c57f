"""Changes of which messages of a chat are shown, and what has to wait for them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from app.chat.branches import Branches
    from app.chat.screen import ChatScreen
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.messages import Messages
    from app.store.rows import Deletion

T = TypeVar("T")


class TreeChanges(QObject):
    """Shows other versions, deletes and undoes. Main thread.

    All that is made on the disk and comes back from there. Until it has, the memory holds messages
    that are shown no longer, and a question asked there would stand elsewhere than it is seen.

    Signals:
        shown(): The open chat shows other messages.
    """

    shown = Signal()

    def __init__(
        self,
        *,
        messages: Messages,
        branches: Branches,
        screen: ChatScreen,
        notices: Notices,
        hop: MainThread,
        writing_in: Callable[[], int | None],
        parent: QObject | None = None,
    ) -> None:
        """Change nothing yet. `writing_in` is the chat a reply is being written in."""
        super().__init__(parent)
        self._messages = messages
        self._branches = branches
        self._screen = screen
        self._notices = notices
        self._hop = hop
        self._writing_in = writing_in
        self._on_their_way: Counter[int] = Counter()
        self._waiting: dict[int, list[Callable[[], None]]] = {}

    # ---- what waits for them

    def is_settled(self, chat_id: int) -> bool:
        """Whether nothing is changed or written in a chat."""
        return not self._on_their_way[chat_id] and self._writing_in() != chat_id

    def when_settled(self, chat_id: int, then: Callable[[], None]) -> None:
        """Go on once nothing is changed or written in a chat; at once where that is so."""
        if self.is_settled(chat_id):
            then()
        else:
            self._waiting.setdefault(chat_id, []).append(then)

    def release(self, chat_id: int) -> None:
        """Let what waits go on, one after another, until one of them changes the chat again."""
        waiting = self._waiting.get(chat_id, [])
        while waiting and self.is_settled(chat_id):
            waiting.pop(0)()

    # ---- the changes

    def show_version(self, chat_id: int, message_id: int, index: int) -> None:
        """Show another version of a message and what follows it."""

        def select() -> None:
            branch = self._branches.get(chat_id)
            message = branch.find(message_id) if branch else None
            if message is not None and 0 <= index < len(message.versions):
                change = self._messages.select(message.versions[index])
                self._follow(chat_id, change, lambda _leaf: self._reload(chat_id))

        self.when_settled(chat_id, select)

    def delete(self, chat_id: int, message_id: int) -> None:
        """Delete a message with what follows it; can be undone."""

        def delete() -> None:
            branch = self._branches.get(chat_id)
            if branch is not None and branch.find(message_id):
                self._follow(chat_id, self._messages.delete(message_id), self._on_deleted)

        self.when_settled(chat_id, delete)

    def _undo(self, deletion: Deletion) -> None:
        chat_id = deletion.chat_id

        def undo() -> None:
            change = self._messages.undo(deletion)
            self._follow(chat_id, change, lambda _none: self._reload(chat_id))

        # A reply in progress stays where it is seen until it is written.
        self.when_settled(chat_id, undo)

    def _on_deleted(self, deletion: Deletion) -> None:
        self._reload(deletion.chat_id)
        self._notices.undoable(
            self.tr("Message deleted, with what followed it."), lambda: self._undo(deletion)
        )

    def _reload(self, chat_id: int) -> None:
        if self._branches.get(chat_id) is not None:
            self._branches.read_again(chat_id)
        if chat_id == self._branches.open_id:
            self._screen.show_all()
            self.shown.emit()

    def _follow(self, chat_id: int, change: Future[T], then: Callable[[T], None]) -> None:
        self._on_their_way[chat_id] += 1
        self._hop.when_done(change, then, self._notices.error)
        # After the line above, and whatever it comes to.
        change.add_done_callback(lambda _done: self._hop.post(lambda: self._arrived(chat_id)))

    def _arrived(self, chat_id: int) -> None:
        self._on_their_way[chat_id] -= 1
        self.release(chat_id)
