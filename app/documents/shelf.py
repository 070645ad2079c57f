"""Which documents each chat holds: read in the background, stored once, kept in their place."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Signal

from app.chat.prompting import PromptPart, prompt_documents, prompt_instruction
from app.store.rows import Record
from engine.documents.pages import chosen_pages
from engine.errors import Problem, UserError
from engine.paths import data_dir

if TYPE_CHECKING:
    from app.chat.prompting import Mode
    from app.hop import MainThread
    from app.store.chat_store import ChatStore
    from engine.documents.model import Document
    from engine.documents.reader import DocumentReader, ReadingJob
    from engine.worker.protocol import PromptDocument

State = Literal["reading", "opening", "ready", "failed"]


@dataclass(slots=True)
class Held:
    """One document of one chat. Main thread.

    Attributes:
        key: The document's id; the path while it is being read for the first time.
        fraction: How much is read; None while unknown.
        selection: Pages that are sent; empty for all.
        mode: Whether they are sent whole, or the passages that answer to each question.
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
    mode: Mode = "whole"
    is_sent: bool = False
    job: ReadingJob | None = None


class Shelf(QObject):
    """Owns the documents of the chats that were opened. Main thread.

    A document takes its place at the end of the chat's slot and keeps it, so that what stands
    before it stays in the KV cache.

    Signals:
        changed(int): Chat whose documents, or their state, changed.
        failed(Problem): One could not be read; its chip says so as well.
    """

    changed = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        store: ChatStore,
        reader: DocumentReader,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._reader = reader
        self._hop = hop
        self._held: dict[int, list[Held]] = {}
        self._laid_out: dict[int, tuple[PromptDocument, ...]] = {}
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="documents")

    # ---- reading

    def add_files(self, chat_id: int, paths: list[str]) -> None:
        """Read files and put them into a chat."""
        for path in paths:
            self._read(chat_id, Held(key=path, name=Path(path).name, path=path, state="reading"))

    def add_text(self, chat_id: int, text: str) -> None:
        """Make a document of pasted text. It is kept as a file, like any other document."""
        folder = data_dir() / "pasted"
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        path = folder / f"pasted-{digest}.txt"
        path.write_text(text, encoding="utf-8", errors="replace")
        self.add_files(chat_id, [str(path)])

    def add_stored(self, chat_id: int, document_id: str) -> None:
        """Put a document that was read before into a chat."""
        info = self._store.documents.info(document_id)
        if info is None or self.find(chat_id, document_id) is not None:
            return
        self._store.documents.attach(chat_id, document_id)
        held = Held(
            key=document_id,
            name=info.name,
            path=info.path,
            state="opening",
            page_count=info.page_count,
        )
        self._of(chat_id).append(held)
        self._open(chat_id, held)
        self._tell(chat_id)

    def retry(self, chat_id: int, key: str, password: str | None = None) -> None:
        """Read a file again, with a password if it wants one."""
        held = self.find(chat_id, key)
        if held is not None and held.path:
            self._of(chat_id).remove(held)
            again = Held(key=held.path, name=held.name, path=held.path, state="reading")
            self._read(chat_id, again, password)

    def remove(self, chat_id: int, key: str) -> None:
        """Take a document out of a chat; it stays in the library."""
        held = self.find(chat_id, key)
        if held is None:
            return
        if held.job is not None:
            held.job.cancel()
        self._of(chat_id).remove(held)
        if held.document is not None or held.state == "opening":
            self._store.documents.detach(chat_id, held.key)
        self._tell(chat_id)

    def choose_pages(self, chat_id: int, key: str, selection: str) -> None:
        """Send only some pages; an empty selection sends all."""
        held = self.find(chat_id, key)
        if held is not None:
            held.selection = selection
            self._store.documents.attach(chat_id, key, mode=held.mode, selection=selection)
            self._tell(chat_id)

    def choose_mode(self, chat_id: int, key: str, mode: Mode) -> None:
        """Send a document whole, or only the passages that answer to each question."""
        held = self.find(chat_id, key)
        if held is not None and held.mode != mode:
            held.mode = mode
            self._store.documents.attach(chat_id, key, mode=mode, selection=held.selection)
            self._tell(chat_id)

    # ---- what others ask

    def held(self, chat_id: int | None) -> tuple[Held, ...]:
        """Documents of a chat, in the order in which they are sent."""
        return tuple(self._of(chat_id)) if chat_id is not None else ()

    def find(self, chat_id: int, key: str) -> Held | None:
        """One document of a chat."""
        return next((held for held in self._of(chat_id) if held.key == key), None)

    def is_busy(self, chat_id: int) -> bool:
        """Whether a document is still being read: a question has to wait for it."""
        return any(held.state in ("reading", "opening") for held in self._of(chat_id))

    def prompt_documents(self, chat_id: int | None) -> tuple[PromptDocument, ...]:
        """What is sent of a chat's documents with every question."""
        if chat_id is None:
            return ()
        if chat_id not in self._laid_out:
            self._laid_out[chat_id] = prompt_documents(self.parts(chat_id))
        return self._laid_out[chat_id]

    def parts(self, chat_id: int | None) -> tuple[PromptPart, ...]:
        """A chat's documents that are read, in their order, and how each is sent."""
        return tuple(
            PromptPart(held.document, held.selection, held.mode)
            for held in self.held(chat_id)
            if held.document is not None
        )

    def instruction(self, chat_id: int | None) -> str:
        """What the model is told about citing them; empty without documents."""
        return prompt_instruction(self.parts(chat_id))

    def records(self, chat_id: int) -> tuple[Record, ...]:
        """What is left out of the documents that go out with the next message, and was not read."""
        found: list[Record] = []
        for held in self._of(chat_id):
            if held.document is None or held.is_sent:
                continue
            notes = held.document.notes
            found.extend(Record(kind=note.code, data=dict(note.params)) for note in notes)
            if not held.selection:
                continue
            count = len(held.document.pages)
            given = len(chosen_pages(held.document, held.selection))
            data = {
                "name": held.name,
                "pages": held.selection,
                "left_out": count - given,
                "count": count,
            }
            found.append(Record(kind="app.pages_left_out", data=data))
        return tuple(found)

    def mark_sent(self, chat_id: int, message_id: int) -> tuple[str, ...]:
        """The documents that waited went out with a message; their names."""
        waiting = [held for held in self._of(chat_id) if held.document and not held.is_sent]
        for held in waiting:
            held.is_sent = True
        if waiting:
            self._store.documents.mark_sent(chat_id, message_id)
        return tuple(held.name for held in waiting)

    def close(self) -> None:
        """Stop reading; for the end of the app."""
        self._reader.close()
        self._opener.shutdown(wait=True, cancel_futures=True)

    # ---- inside

    def _of(self, chat_id: int) -> list[Held]:
        if chat_id not in self._held:
            self._held[chat_id] = []
            for stored in self._store.documents.of_chat(chat_id):
                held = Held(
                    key=stored.document.id,
                    name=stored.document.name,
                    path=stored.document.path,
                    state="opening",
                    page_count=stored.document.page_count,
                    selection=stored.selection,
                    mode="passages" if stored.mode == "passages" else "whole",
                    is_sent=stored.message_id is not None,
                )
                self._held[chat_id].append(held)
                self._open(chat_id, held)
        return self._held[chat_id]

    def _open(self, chat_id: int, held: Held) -> None:
        """Unpack a stored document off the main thread: a long one takes a while."""
        future = self._opener.submit(self._store.documents.get, held.key)

        def opened(document: Document | None) -> None:
            held.document = document
            held.state = "ready" if document else "failed"
            if document is None:
                held.problem = Problem(code="app.document_lost", params={"name": held.name})
            self._tell(chat_id)

        def failed(error: UserError) -> None:
            held.state, held.problem = "failed", error.problem
            self._tell(chat_id)

        self._hop.when_done(future, opened, failed)

    def _read(self, chat_id: int, held: Held, password: str | None = None) -> None:
        twin = self.find(chat_id, held.key)
        if twin is not None and twin.state == "reading":
            return
        self._of(chat_id).append(held)

        def stored(document: Document) -> None:
            # On the job's thread: storing compresses the text.
            try:
                self._store.documents.put(document)
            except UserError as error:
                problem = error.problem
                self._hop.post(lambda: self._fail(chat_id, held, problem))
            else:
                self._hop.post(lambda: self._settle(chat_id, held, document))

        held.job = self._reader.start(
            held.path,
            password=password,
            on_done=stored,
            on_failed=lambda problem: self._hop.post(lambda: self._fail(chat_id, held, problem)),
            on_progress=lambda done, total: self._hop.post(
                lambda: self._progress(chat_id, held, done, total)
            ),
        )
        self._tell(chat_id)

    def _settle(self, chat_id: int, held: Held, document: Document) -> None:
        if held not in self._of(chat_id):
            return
        held.job = None
        if self.find(chat_id, document.id) is not None:
            # The same content is there already and keeps its place.
            self._of(chat_id).remove(held)
        else:
            self._store.documents.attach(chat_id, document.id)
            held.key, held.name, held.document = document.id, document.name, document
            held.state, held.page_count = "ready", len(document.pages)
        self._tell(chat_id)

    def _fail(self, chat_id: int, held: Held, problem: Problem) -> None:
        held.job = None
        if held in self._of(chat_id):
            held.state, held.problem = "failed", problem
            self._tell(chat_id)
            self.failed.emit(problem)

    def _progress(self, chat_id: int, held: Held, done: int, total: int) -> None:
        fraction = done / total if total else None
        # Every page would repaint the chip a thousand times a second.
        if fraction is None or held.fraction is None or fraction - held.fraction >= 0.02:
            held.fraction = fraction
            self.changed.emit(chat_id)

    def _tell(self, chat_id: int) -> None:
        self._laid_out.pop(chat_id, None)
        self.changed.emit(chat_id)
