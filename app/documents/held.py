"""One document of one chat, and what is recorded of it when it goes out with a message."""

# ruff: noqa: TC004 - msgspec reads types to decode, which this struct never is
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from app.chat.prompting import mode_named
from app.store.rows import Record
from engine.documents.pages import chosen_pages
from engine.errors import Problem

if TYPE_CHECKING:
    from app.chat.prompting import ChosenMode, Mode
    from app.documents.automatic import Choice
    from app.documents.changes import FileState
    from app.store.rows import ChatDocument
    from engine.documents.model import Document
    from engine.documents.reader import ReadingJob

State = Literal["reading", "opening", "ready", "failed"]


class Held(msgspec.Struct):
    """One document of one chat. Main thread.

    Attributes:
        key: The document's id; the path while it is being read for the first time.
        fraction: How much is read; None while unknown.
        selection: Pages that are sent; empty for all.
        mode: How the user wants it sent; ``automatic`` comes to one of the others.
        settled: What that came to; None until it is decided.
        file: What became of the file since it was read.
        version: Which state the file is in now.
        kept: The state of the file that the user wants left aside.
        replaces: Key of the document in whose place this one is read; empty for none.
        is_reread: It took the place of an older reading, which has not been told the model yet.
    """

    key: str
    name: str
    path: str
    state: State
    document: Document | None = None
    problem: Problem | None = None
    fraction: float | None = None
    page_count: int | None = None
    selection: str = ""
    mode: ChosenMode = "automatic"
    settled: Choice | None = None
    is_sent: bool = False
    job: ReadingJob | None = None
    file: FileState = "same"
    version: str = ""
    kept: str = ""
    replaces: str = ""
    is_reread: bool = False

    @property
    def sent_as(self) -> Mode:
        """How it is sent."""
        if self.mode != "automatic":
            return self.mode
        return self.settled.mode if self.settled else "whole"

    @property
    def is_undecided(self) -> bool:
        """Whether it is automatic and nobody has looked yet what that comes to."""
        return self.mode == "automatic" and self.document is not None and self.settled is None

    @property
    def asks(self) -> bool:
        """Whether its file is another one now and the user did not say yet what to do."""
        return self.file in ("changed", "gone") and self.version != self.kept

    @property
    def is_waited_for(self) -> bool:
        """Whether a question has to wait for it."""
        # A file that is gone takes nothing away: what was read of it is here.
        return self.state in ("reading", "opening") or (self.asks and self.file == "changed")


def from_store(stored: ChatDocument) -> Held:
    """A chat's document as it stands in the store; its text is still to be unpacked."""
    return Held(
        key=stored.document.id,
        name=stored.document.name,
        path=stored.document.path,
        state="opening",
        page_count=stored.document.page_count,
        selection=stored.selection,
        mode=mode_named(stored.mode),
        is_sent=stored.message_id is not None,
        kept=stored.kept,
    )


def unread_file(path: str) -> Held:
    """A file that was to be read for a chat when the app ended."""
    name = Path(path).name
    problem = Problem(code="documents.not_read_yet", params={"name": name})
    return Held(key=path, name=name, path=path, state="failed", problem=problem)


def records_of(held: Held) -> list[Record]:
    """What is said above the message that a document goes out with."""
    if held.document is None or held.is_sent:
        return []
    found = [Record(kind=note.code, data=dict(note.params)) for note in held.document.notes]
    if held.is_reread:
        found.insert(0, Record(kind="app.document_read_again", data={"name": held.name}))
    if held.selection:
        count = len(held.document.pages)
        given = len(chosen_pages(held.document, held.selection))
        data = {
            "name": held.name,
            "pages": held.selection,
            "left_out": count - given,
            "count": count,
        }
        found.append(Record(kind="app.pages_left_out", data=data))
    return found
