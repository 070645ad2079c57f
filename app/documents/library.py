"""Fills the library's page and carries out what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.documents import view_words
from widgets.dialogs.confirm import Confirm
from widgets.library.viewdata import LibraryItemView

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from app.chat.controller import ChatController
    from app.documents.counting import TokenCounting
    from app.documents.shelf import Shelf
    from app.documents.thumbnails import Thumbnails
    from app.documents.viewing import DocumentViewing
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.store.rows import DocumentInfo, DocumentUse, RemovedDocument
    from app.window.dialogs import Dialogs
    from engine.documents.model import Document
    from engine.documents.reader import DocumentReader, ReadingJob
    from engine.errors import Problem
    from widgets.main_window import MainWindow

_GATHER_MS = 120
_ENCRYPTED = ("documents.encrypted", "documents.wrong_password")


@dataclass(slots=True)
class _Reading:
    """A file that is read into the library.

    Attributes:
        document_id: What it turned out to be; known before that document is in the store.
    """

    path: str
    fraction: float | None = None
    job: ReadingJob | None = None
    document_id: str = ""


class LibraryController(QObject):
    """Main thread.

    Signals:
        changed(): Documents were added, renamed or deleted.
        deleted(str): A document is gone; it may come back.
    """

    changed = Signal()
    deleted = Signal(str)

    def __init__(
        self,
        *,
        window: MainWindow,
        store: ChatStore,
        chat: ChatController,
        shelf: Shelf,
        reader: DocumentReader,
        counting: TokenCounting,
        thumbnails: Thumbnails,
        viewing: DocumentViewing,
        notices: Notices,
        hop: MainThread,
        dialogs: Dialogs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._page = window.library
        self._chat = chat
        self._shelf = shelf
        self._reader = reader
        self._counting = counting
        self._thumbnails = thumbnails
        self._viewing = viewing
        self._notices = notices
        self._hop = hop
        self._dialogs = dialogs
        self._readings: dict[str, _Reading] = {}
        # Counts and pictures come one by one; the page is filled once for several of them.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_GATHER_MS)
        self._soon.timeout.connect(self._refresh_if_seen)
        self._connect(window)
        self._refresh_if_seen()
        self._offer_unread()

    def _connect(self, window: MainWindow) -> None:
        page = self._page
        window.page_shown.connect(lambda _key: self._refresh_if_seen())
        window.sidebar.document_remove_requested.connect(self.delete)
        page.add_requested.connect(lambda: self._dialogs.choose_files(self.add_files))
        page.open_requested.connect(self._viewing.open_document)
        page.attach_requested.connect(self._on_attach)
        page.renamed.connect(self.rename)
        page.delete_requested.connect(self.delete)
        page.files_dropped.connect(self.add_files)
        self._counting.counted.connect(lambda _id: self._soon.start())
        self._thumbnails.ready.connect(lambda _id: self._soon.start())
        self._shelf.changed.connect(lambda _chat_id: self._soon.start())
        self._chat.opened.connect(lambda _chat_id: self._soon.start())

    # ---- the list

    def refresh(self) -> None:
        """Read the list of documents again."""
        store, uses = self._store.documents, self._store.documents.uses()
        totals = store.token_totals(self._counting.vocabulary)
        held = {each.key for each in self._shelf.held(self._chat.chat_id)}
        # The newest first: of a file that was read again the first one here is the one to use.
        infos = store.all()
        newest = {info.path: info.id for info in reversed(infos) if info.path}
        items = [
            msgspec.structs.replace(
                self._item(info, uses.get(info.id, ()), totals.get(info.id)),
                is_in_chat=info.id in held,
                is_older=newest.get(info.path, info.id) != info.id,
            )
            for info in infos
        ]
        # A document is in the store a moment before its reading is over: it is listed once.
        listed = {info.id for info in infos}
        reading = [
            LibraryItemView(
                id=each.path, name=Path(each.path).name, is_reading=True, fraction=each.fraction
            )
            for each in self._readings.values()
            if each.document_id not in listed
        ]
        self._page.set_items((*reading, *items))
        self._counting.want_all(info.id for info in infos if info.id not in totals)
        self._note_words([info for info in infos if info.word_count is None])

    def _refresh_if_seen(self) -> None:
        if self._page.isVisible():
            self.refresh()

    def _item(
        self,
        info: DocumentInfo,
        uses: tuple[DocumentUse, ...],
        tokens: int | None,
    ) -> LibraryItemView:
        thumbnail: QImage | None = self._thumbnails.of(info)
        return LibraryItemView(
            id=info.id,
            name=info.name,
            format=view_words.format_name(info.kind),
            badge=view_words.badge(info.kind),
            pages=info.page_count,
            words=info.word_count,
            tokens=tokens,
            size_bytes=info.size_bytes,
            added_at=datetime.fromtimestamp(info.created_at).astimezone(),
            chats=tuple(use.title or self.tr("New chat") for use in uses),
            unread=view_words.unread_of(info.notes),
            detail="\n".join((info.path, *(note.message for note in info.notes))),
            thumbnail=thumbnail,
        )

    def _note_words(self, infos: list[DocumentInfo]) -> None:
        """Count the words of documents that an older version stored; one at a time."""
        if not infos:
            return

        def noted(document: Document | None) -> None:
            if document is not None:
                self._hop.when_done(
                    self._store.documents.set_facts(document), lambda _none: self._soon.start()
                )

        self._hop.when_done(self._shelf.unpack(infos[0].id), noted)

    # ---- adding

    def add_files(self, paths: list[str]) -> None:
        """Read files into the library; no chat gets them."""
        for path in paths:
            if path not in self._readings:
                self._read(path)
        self.refresh()

    def _read(self, path: str, password: str | None = None) -> None:
        reading = self._readings[path] = _Reading(path)
        self._store.unread.add(None, path)

        def stored(document: Document) -> None:
            # On the job's thread: storing compresses the text, and the list is read from the disk.
            reading.document_id = document.id
            self._store.documents.put(document).done.result()
            self._hop.post(lambda: self._on_read(path))

        reading.job = self._reader.start(
            path,
            password=password,
            on_done=stored,
            on_failed=lambda problem: self._hop.post(lambda: self._on_failed(path, problem)),
            on_progress=lambda done, total: self._hop.post(
                lambda: self._on_progress(reading, done, total)
            ),
        )

    def _on_progress(self, reading: _Reading, done: int, total: int) -> None:
        reading.fraction = done / total if total else None
        if not self._soon.isActive():
            self._soon.start()

    def _on_read(self, path: str) -> None:
        self._readings.pop(path, None)
        self._store.unread.remove(None, path)
        self._refresh_everything()

    def _on_failed(self, path: str, problem: Problem) -> None:
        self._readings.pop(path, None)
        self._store.unread.remove(None, path)
        self.refresh()
        if problem.code in _ENCRYPTED:
            self._dialogs.ask_password(Path(path).name, lambda entered: self._read(path, entered))
        elif problem.code != "documents.cancelled":
            self._notices.problem(problem)

    def _offer_unread(self) -> None:
        """Offer to read what the last end of the app left unread."""
        paths = list(self._store.unread.of(None))
        if not paths:
            return
        names = ", ".join(Path(path).name for path in paths[:3])
        if len(paths) > 3:
            names += self.tr(" and {n} more").format(n=len(paths) - 3)

        def decline() -> None:
            for path in paths:
                self._store.unread.remove(None, path)

        words = self.tr("Not read for the library, because Leadline ended before: {names}.")
        self._notices.offer(
            words.format(names=names),
            self.tr("Read now"),
            lambda: self.add_files(paths),
            decline,
        )

    # ---- what is done with one

    def _on_attach(self, document_id: str) -> None:
        chat_id = self._chat.ensure_chat()
        self._shelf.add_stored(chat_id, document_id)
        branch = self._chat.branch
        title = (branch.chat.title if branch else "") or self.tr("New chat")
        info = self._store.documents.info(document_id)
        if info is not None:
            words = self.tr("{name} is in the chat “{title}” now.")
            self._notices.say(words.format(name=info.name, title=title))

    def rename(self, document_id: str, name: str) -> None:
        """Call a document something else."""
        done = self._store.documents.rename(document_id, name)
        self._shelf.rename(document_id, name)
        self._hop.when_done(done, lambda _none: self._refresh_everything(), self._notices.error)

    def delete(self, document_id: str) -> None:
        """Delete a document; asks first when chats have it, and can be undone."""
        info = self._store.documents.info(document_id)
        if info is None:
            return
        uses = self._store.documents.uses().get(document_id, ())
        if not uses:
            self._remove(document_id)
            return
        titles = [use.title or self.tr("New chat") for use in uses]
        chats = ", ".join(f"“{title}”" for title in titles[:4])
        if len(titles) > 4:
            chats += self.tr(" and {n} more").format(n=len(titles) - 4)
        words = self.tr("It is part of {chats}. What was answered there stays.")
        asking = Confirm(
            self._page,
            self.tr("Delete {name}?").format(name=info.name),
            words.format(chats=chats),
            self.tr("Delete"),
            is_danger=True,
        )
        asking.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asking.accepted.connect(partial(self._remove, document_id))
        asking.open()

    def _remove(self, document_id: str) -> None:
        removing = self._store.documents.remove(document_id)
        self._hop.when_done(removing, partial(self._removed, document_id), self._notices.error)

    def _removed(self, document_id: str, removed: RemovedDocument) -> None:
        self._shelf.forget(document_id)
        self._thumbnails.forget(document_id)
        self.deleted.emit(document_id)
        self._refresh_everything()
        self._notices.undoable(
            self.tr("{name} was deleted from the library.").format(name=removed.name),
            partial(self._put_back, document_id, removed),
        )

    def _put_back(self, document_id: str, removed: RemovedDocument) -> None:
        def back(_none: None) -> None:
            self._shelf.restore(document_id)
            self._refresh_everything()

        self._hop.when_done(self._store.documents.put_back(removed), back, self._notices.error)

    def _refresh_everything(self) -> None:
        self.refresh()
        self.changed.emit()
