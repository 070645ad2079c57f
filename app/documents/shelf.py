"""Which documents each chat holds: read in the background, stored once, kept in their place."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.chat.prompting import PromptPart, prompt_documents, prompt_instruction
from app.documents.held import Held, from_store, records_of, unread_file
from app.store.whole_file import write_whole
from engine.documents.pages import chosen_pages
from engine.errors import Problem, UserError
from engine.paths import data_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.chat.prompting import ChosenMode
    from app.documents.automatic import Choice
    from app.documents.changes import FileCheck
    from app.hop import MainThread
    from app.store.chat_store import ChatStore
    from app.store.rows import Record
    from engine.documents.model import Document
    from engine.documents.reader import DocumentReader
    from engine.worker.protocol import PromptDocument

__all__ = ["Held", "Shelf", "pasted_dir"]


def pasted_dir() -> Path:
    """Where pasted texts are kept as files; perhaps it is not there yet."""
    return data_dir() / "pasted"


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
        reader: Callable[[], DocumentReader],
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._reader = reader
        self._hop = hop
        self._held: dict[int, list[Held]] = {}
        self._laid_out: dict[int, tuple[PromptDocument, ...]] = {}
        self._checks: Counter[int] = Counter()
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="documents")

    # ---- reading

    def add_files(self, chat_id: int, paths: list[str]) -> None:
        """Read files and put them into a chat."""
        for path in paths:
            self._read(chat_id, Held(key=path, name=Path(path).name, path=path, state="reading"))

    def add_text(self, chat_id: int, text: str) -> None:
        """Make a document of pasted text. It is kept as a file, like any other document.

        Raises:
            UserError: ``app.paste_not_kept``.
        """
        # OpenSSL: not with the start of the window.
        import hashlib

        folder = pasted_dir()
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        path = folder / f"pasted-{digest}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode("utf-8", "replace"))
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("app.paste_not_kept", reason=reason) from error
        self.add_files(chat_id, [str(path)])

    def add_stored(self, chat_id: int, document_id: str) -> None:
        """Put a document that was read before into a chat."""
        info = self._store.documents.info(document_id)
        if info is None or self.find(chat_id, document_id) is not None:
            return
        self._store.documents.attach(chat_id, document_id, mode="automatic")
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
            again = Held(held.path, held.name, held.path, "reading", replaces=held.replaces)
            self._read(chat_id, again, password)

    def remove(self, chat_id: int, key: str) -> None:
        """Take a document out of a chat; it stays in the library."""
        held = self.find(chat_id, key)
        if held is None:
            return
        if held.job is not None:
            held.job.cancel()
        self._of(chat_id).remove(held)
        if held.document is None and not held.replaces:
            self._store.unread.remove(chat_id, held.path)
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

    def choose_mode(self, chat_id: int, key: str, mode: ChosenMode) -> None:
        """Send a document another way."""
        held = self.find(chat_id, key)
        if held is not None and held.mode != mode:
            held.mode = mode
            self._store.documents.attach(chat_id, key, mode=mode, selection=held.selection)
            self._tell(chat_id)

    def settle_modes(self, chat_id: int, choices: Mapping[str, Choice]) -> None:
        """Take what automatic documents come to."""
        changed = False
        for held in self._of(chat_id):
            choice = choices.get(held.key, held.settled)
            changed = changed or choice != held.settled
            held.settled = choice
        if changed:
            self._tell(chat_id)

    # ---- files that change, and what the library does

    def begin_check(self, chat_id: int) -> None:
        """The files of a chat are being looked at: what is sent now waits for that."""
        self._checks[chat_id] += 1

    def end_check(self, chat_id: int) -> None:
        """One look at them is over: nothing waits for it any longer."""
        self._checks[chat_id] -= 1
        self.changed.emit(chat_id)

    def take_checks(self, chat_id: int, checks: dict[str, FileCheck]) -> None:
        """Take what became of the files, by document."""
        for held in self._of(chat_id):
            check = checks.get(held.key)
            if check is None:
                continue
            held.file, held.version, mtime_ns = check
            if held.file == "touched" and held.document is not None:
                held.document = msgspec.structs.replace(held.document, mtime_ns=mtime_ns)
        self.changed.emit(chat_id)

    def keep_as_it_was(self, chat_id: int, key: str) -> None:
        """Go on with what was read, until the file changes once more."""
        held = self.find(chat_id, key)
        if held is not None:
            held.kept = held.version
            self._store.documents.keep(chat_id, key, held.version)
            self.changed.emit(chat_id)

    def read_again(self, chat_id: int, key: str) -> None:
        """Read a changed file; the chat keeps the old text until the new one is there."""
        held = self.find(chat_id, key)
        if held is not None:
            name = Path(held.path).name
            again = Held(held.path, name, held.path, state="reading", replaces=key)
            self._read(chat_id, again)

    def rename(self, document_id: str, name: str) -> None:
        """A document is called something else now."""
        for chat_id, held in self._everywhere(document_id):
            held.name = name
            if held.document is not None:
                held.document = msgspec.structs.replace(held.document, name=name)
            self._tell(chat_id)

    def forget(self, document_id: str) -> None:
        """A document was deleted from the library, and so from every chat."""
        for chat_id, held in self._everywhere(document_id):
            self._of(chat_id).remove(held)
            self._tell(chat_id)

    def restore(self, document_id: str) -> None:
        """A deleted document is in the store again; it goes back to its places."""
        for chat_id, here in self._held.items():
            for place, stored in enumerate(self._store.documents.of_chat(chat_id)):
                if stored.document.id == document_id and self.find(chat_id, document_id) is None:
                    held = from_store(stored)
                    here.insert(place, held)
                    self._open(chat_id, held)
                    self._tell(chat_id)

    def unpack(self, document_id: str) -> Future[Document | None]:
        """A stored document with its text, read on a thread."""
        return self._opener.submit(self._store.documents.get, document_id)

    def _everywhere(self, document_id: str) -> list[tuple[int, Held]]:
        return [
            (chat_id, held)
            for chat_id, here in self._held.items()
            for held in here
            if held.key == document_id
        ]

    # ---- what others ask

    def held(self, chat_id: int | None) -> tuple[Held, ...]:
        """Documents of a chat, in the order in which they are sent."""
        return tuple(self._of(chat_id)) if chat_id is not None else ()

    def find(self, chat_id: int, key: str) -> Held | None:
        """One document of a chat."""
        return next((held for held in self._of(chat_id) if held.key == key), None)

    def has_file(self, path: str) -> bool:
        """Whether a chat that was opened holds a file, be it that it is still being read."""
        return any(held.path == path for here in self._held.values() for held in here)

    def is_busy(self, chat_id: int) -> bool:
        """Whether a question has to wait for a document, or for a choice about one."""
        is_checked = self._checks[chat_id] > 0
        return is_checked or any(held.is_waited_for for held in self._of(chat_id))

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
            PromptPart(held.document, held.selection, held.sent_as)
            for held in self.held(chat_id)
            if held.document is not None
        )

    def instruction(self, chat_id: int | None) -> str:
        """What the model is told about citing them; empty without documents."""
        return prompt_instruction(self.parts(chat_id))

    def records(self, chat_id: int) -> tuple[Record, ...]:
        """What is left out of the documents that go out with the next message, and was not read."""
        return tuple(record for held in self._of(chat_id) for record in records_of(held))

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
        self._reader().close()
        self._opener.shutdown(wait=True, cancel_futures=True)

    # ---- inside

    def _of(self, chat_id: int) -> list[Held]:
        if chat_id not in self._held:
            self._held[chat_id] = []
            for stored in self._store.documents.of_chat(chat_id):
                held = from_store(stored)
                self._held[chat_id].append(held)
                self._open(chat_id, held)
            self._held[chat_id] += map(unread_file, self._store.unread.of(chat_id))
        return self._held[chat_id]

    def _open(self, chat_id: int, held: Held) -> None:
        """Unpack a stored document off the main thread: a long one takes a while."""
        future = self.unpack(held.key)

        def opened(document: Document | None) -> None:
            # It may have been renamed meanwhile.
            held.document = msgspec.structs.replace(document, name=held.name) if document else None
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
        if twin is not None:
            # It was tried before.
            self._of(chat_id).remove(twin)
        if not held.replaces:
            self._store.unread.add(chat_id, held.path)
        here, replaced = self._of(chat_id), self.find(chat_id, held.replaces)
        here.insert(here.index(replaced) + 1 if replaced else len(here), held)

        def stored(document: Document) -> None:
            # On the job's thread: storing compresses the text.
            name = self._store.documents.put(document).value.name
            named = msgspec.structs.replace(document, name=name)
            self._hop.post(lambda: self._settle(chat_id, held, named))

        held.job = self._reader().start(
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
        twin = self.find(chat_id, document.id)
        if twin is not None:
            # The same content is there already and keeps its place.
            self._of(chat_id).remove(held)
            twin.file = "same"
        else:
            document = self._take_place(chat_id, held, document)
            held.key, held.name, held.document = document.id, document.name, document
            held.state, held.page_count = "ready", len(document.pages)
        if not held.replaces:
            # Behind the text and its place, which are on their way to the disk.
            self._store.unread.remove(chat_id, held.path)
        self._tell(chat_id)

    def _take_place(self, chat_id: int, held: Held, document: Document) -> Document:
        """Put a document that was read behind the others, or in the place of its older self.

        That had a name of its own, perhaps: the document is returned as it is called now.
        """
        replaced = self.find(chat_id, held.replaces)
        if replaced is None:
            self._store.documents.attach(chat_id, document.id, mode=held.mode)
            return document
        held.mode, held.is_reread = replaced.mode, True
        if replaced.name != Path(replaced.path).name:
            document = msgspec.structs.replace(document, name=replaced.name)
            self._store.documents.rename(document.id, replaced.name)
        held.selection = _still_valid(document, replaced.selection)
        self._of(chat_id).remove(replaced)
        self._store.documents.replace(chat_id, replaced.key, document.id)
        self._store.documents.attach(chat_id, document.id, mode=held.mode, selection=held.selection)
        return document

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


def _still_valid(document: Document, selection: str) -> str:
    """Chosen pages that a newer reading still has; empty when it has none of them."""
    try:
        chosen_pages(document, selection)
    except UserError:
        return ""
    return selection
