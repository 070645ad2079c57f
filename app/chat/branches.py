"""The chats that are in memory, and which of them is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from app.chat.branch import Branch
from app.store.rows import ChatContents
from engine.errors import UserError
from engine.settings import validated

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from app.store.chat_store import ChatStore
    from engine.settings import GenerationSettings


class Branches:
    """One shown branch for each chat that was opened or written in. Main thread.

    Attributes:
        open_id: The open chat; None is one that holds nothing yet.
    """

    def __init__(self, store: ChatStore, generation: Callable[[], GenerationSettings]) -> None:
        """Args: where chats are kept, and the settings of every chat that has none of its own."""
        self._store = store
        self._generation = generation
        self._branches: dict[int, Branch] = {}
        self.open_id: int | None = None

    @property
    def open(self) -> Branch | None:
        """The open chat's messages."""
        return self.get(self.open_id) if self.open_id is not None else None

    def get(self, chat_id: int) -> Branch | None:
        """A chat's messages, if they are in memory."""
        return self._branches.get(chat_id)

    def read(self, chat_id: int, *, writing_in: int | None) -> Branch | None:
        """A chat's messages: from the disk, unless the memory is newer.

        Args:
            chat_id: The chat.
            writing_in: The chat a reply is being written in; its memory is always newer.
        """
        branch = self._branches.get(chat_id)
        is_newer = branch is not None and not branch.is_saved
        if is_newer or chat_id in (self.open_id, writing_in):
            return branch
        return self.read_again(chat_id)

    def read_again(self, chat_id: int) -> Branch | None:
        """A chat's messages as the disk has them; None when it has no such chat."""
        contents = self._store.messages.contents(chat_id)
        if contents is None:
            return None
        self._branches[chat_id] = Branch(contents)
        return self._branches[chat_id]

    def forget(self, chat_id: int) -> None:
        """A chat was deleted; one that comes back is read from the disk."""
        self._branches.pop(chat_id, None)

    def create(self) -> Branch:
        """Store a new chat and open it."""
        saving = self._store.chats.create()
        chat = saving.value
        branch = self._branches[chat.id] = Branch(ChatContents(chat=chat), saving.done)
        self.open_id = chat.id
        return branch

    def rename(self, chat_id: int, title: str) -> Future[None]:
        """Give a chat another title."""
        done = self._store.chats.rename(chat_id, title)
        branch = self.get(chat_id)
        if branch is not None:
            branch.chat = msgspec.structs.replace(branch.chat, title=title)
            branch.saving = done
        return done

    def generation(self, chat_id: int | None) -> GenerationSettings:
        """The settings of a chat's replies: its own, and for the rest those of all chats."""
        branch = self.get(chat_id) if chat_id is not None else None
        own = branch.chat.settings if branch else {}
        base = self._generation()
        known = {name: value for name, value in own.items() if name in base.__struct_fields__}
        try:
            return validated(base, **known)
        except UserError:
            # A chat that came from a newer version; what it asks for is not there yet.
            return base

    def set_setting(self, branch: Branch, name: str, value: object) -> None:
        """Keep a setting that differs in this chat."""
        settings = {**branch.chat.settings, name: value}
        branch.chat = msgspec.structs.replace(branch.chat, settings=settings)
        branch.saving = self._store.chats.set_settings(branch.chat.id, settings)

    def set_draft(self, branch: Branch, draft: str) -> None:
        """Keep what stands in a chat's composer."""
        branch.chat = msgspec.structs.replace(branch.chat, draft=draft)
        branch.saving = self._store.chats.set_draft(branch.chat.id, draft)
