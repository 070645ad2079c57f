"""What the store gives and takes: frozen structs, without SQL and without Qt."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Generic, Literal, TypeVar

import msgspec

from engine.errors import Problem
from engine.sentences import message_for

T = TypeVar("T")
Role = Literal["user", "assistant", "system"]
MessageState = Literal["complete", "streaming", "stopped", "failed", "interrupted"]
Json = dict[str, Any]


class Saving(msgspec.Struct, Generic[T], frozen=True):
    """Something that counts already and is on its way to the disk.

    Attributes:
        value: What is being saved.
        done: Completed on the writer's thread after the commit, or with the `UserError`.
    """

    value: T
    done: Future[None]

    def wait(self, timeout_s: float = 10.0) -> T:
        """Block until it is saved; not for the GUI thread.

        Raises:
            UserError: Why it could not be saved.
        """
        self.done.result(timeout_s)
        return self.value


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An inline record of something that was left out, shortened or done differently.

    Attributes:
        kind: A code of `engine.sentences`.
        data: What the sentence is filled with, and whatever else belongs to it.
    """

    kind: str
    data: Json = {}

    @property
    def sentence(self) -> str:
        """The record in words."""
        return message_for(self.kind, self.data)


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """One chat, without its messages. Times are seconds since the epoch.

    Attributes:
        settings: Generation settings that differ in this chat.
        token_count: Tokens it held at the last reply; None when unknown.
        leaf_id: Last message of the branch that is shown; None in an empty chat.
    """

    id: int
    title: str = ""
    pinned: bool = False
    folder: str = ""
    draft: str = ""
    settings: Json = {}
    token_count: int | None = None
    leaf_id: int | None = None
    created_at: float = 0.0
    updated_at: float = 0.0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a chat's tree.

    Attributes:
        parent_id: The message it answers or follows; None for a first message.
        stats: Figures of a reply: tokens, seconds, stop reason, model.
        problem: Why a reply failed.
        records: In the order in which they were added.
        versions: Ids of the messages with the same parent, itself among them, oldest first.
    """

    id: int
    chat_id: int
    parent_id: int | None
    role: Role
    text: str = ""
    thinking: str = ""
    state: MessageState = "complete"
    stats: Json | None = None
    problem: Problem | None = None
    records: tuple[Record, ...] = ()
    versions: tuple[int, ...] = ()
    created_at: float = 0.0

    @property
    def version_index(self) -> int:
        """Which of the versions this is, from 0."""
        return self.versions.index(self.id) if self.versions else 0


class DocumentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A stored document, without its text.

    Attributes:
        id: Hash of the content, as in `engine.documents`.
        name: What the user calls it; the file's name until it is renamed.
        mtime_ns: Time of last change on disk when it was read; 0 for pasted text.
        word_count: Words of its text; None where they were not counted yet.
        notes: What was not read of it, and other things to know.
    """

    id: str
    name: str
    path: str
    kind: str
    size_bytes: int
    mtime_ns: int
    page_count: int
    char_count: int
    created_at: float = 0.0
    word_count: int | None = None
    notes: tuple[Problem, ...] = ()


class DocumentUse(msgspec.Struct, frozen=True, kw_only=True):
    """A chat that a document serves."""

    chat_id: int
    title: str


class RemovedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was removed with all that hung on it, as rows that go back unchanged."""

    name: str
    rows: tuple[tuple[str, tuple[Any, ...]], ...]
    chat_ids: tuple[int, ...] = ()


class ChatDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a chat.

    Attributes:
        mode: How it is given to the model: ``"whole"``, ``"passages"`` …
        selection: Which pages or sections, e.g. ``"3-9"``; empty for all.
        message_id: The message it was sent with; None while it waits in the composer.
        kept: Which later state of the file the user wants left aside; empty for none.
    """

    document: DocumentInfo
    mode: str = "whole"
    selection: str = ""
    message_id: int | None = None
    kept: str = ""


class ChatContents(msgspec.Struct, frozen=True, kw_only=True):
    """A chat as it is opened: its shown branch, first message first, and its documents."""

    chat: Chat
    messages: tuple[Message, ...] = ()
    documents: tuple[ChatDocument, ...] = ()


class TokenCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a document for one vocabulary, page by page."""

    total: int
    by_page: tuple[int, ...] = ()


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A title or a message that matches.

    Attributes:
        message_id: None when the title matched.
        marks: Where the matching words stand in `snippet`: (start, length) in characters.
    """

    chat_id: int
    title: str
    snippet: str
    message_id: int | None = None
    marks: tuple[tuple[int, int], ...] = ()


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted and how to take it back.

    Attributes:
        stamp_us: Marks the rows that were deleted together.
        leaf_id: The branch that was shown before.
    """

    chat_id: int
    stamp_us: int
    message_id: int | None = None
    leaf_id: int | None = None
