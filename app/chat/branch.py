"""The shown branch of a chat, kept in memory: what is on the screen and what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from concurrent.futures import Future

    from app.store.rows import ChatContents, Message


class Branch:
    """Messages from the first one to the leaf. Main thread.

    Attributes:
        saving: The newest change on its way to the disk; None when it was read from there.
    """

    def __init__(self, contents: ChatContents, saving: Future[None] | None = None) -> None:
        self.saving = saving
        self.chat = contents.chat
        self.messages: list[Message] = list(contents.messages)
        self._documents_of: dict[int, list[str]] = {}
        for held in contents.documents:
            if held.message_id is not None:
                self._documents_of.setdefault(held.message_id, []).append(held.document.name)

    @property
    def is_saved(self) -> bool:
        """Whether the disk holds all of it."""
        if self.saving is None:
            return True
        return self.saving.done() and self.saving.exception() is None

    @property
    def leaf_id(self) -> int | None:
        """Id of the last message."""
        return self.messages[-1].id if self.messages else None

    def find(self, message_id: int) -> Message | None:
        """A message of the branch."""
        return next((message for message in self.messages if message.id == message_id), None)

    def documents_of(self, message_id: int) -> tuple[str, ...]:
        """Names of the documents that were sent with a message."""
        return tuple(self._documents_of.get(message_id, ()))

    def add(self, message: Message, *, documents: tuple[str, ...] = ()) -> Message:
        """Put a message at the end; one that replaces another becomes a version of it."""
        self.messages.append(message)
        if documents:
            self._documents_of[message.id] = list(documents)
        return message

    def replace(self, message: Message) -> Message:
        """Put in a newer state of a message; its versions are kept."""
        for index, old in enumerate(self.messages):
            if old.id == message.id:
                versions = message.versions or old.versions
                message = msgspec.structs.replace(message, versions=versions)
                self.messages[index] = message
        return message

    def cut_before(self, message_id: int) -> tuple[int, ...]:
        """Take a message and all after it off the branch; the versions that one had."""
        for index, message in enumerate(self.messages):
            if message.id == message_id:
                del self.messages[index:]
                return message.versions or (message.id,)
        return ()
