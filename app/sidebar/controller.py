"""Fills the sidebar from the store and carries out what is asked of it."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.session import State
from app.sidebar.importing import ChatImport
from app.store.whole_file import write_whole
from engine.errors import UserError
from widgets.sidebar.viewdata import (
    ChatActivity,
    ChatItemView,
    DocumentItemView,
    DocumentState,
    SearchHitView,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from app.chat.controller import ChatController
    from app.documents.shelf import Held, Shelf
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.store.rows import Chat, Deletion, DocumentInfo
    from widgets.sidebar.sidebar import Sidebar

_RECENT_DOCUMENTS = 30


class SidebarController(QObject):
    """Main thread.

    Signals:
        message_found(int chat_id, int message_id): A search hit was chosen.
    """

    message_found = Signal(object, object)

    def __init__(
        self,
        *,
        store: ChatStore,
        sidebar: Sidebar,
        chat: ChatController,
        shelf: Shelf,
        engine: EngineController,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._sidebar = sidebar
        self._chat = chat
        self._shelf = shelf
        self._engine = engine
        self._notices = notices
        self._hop = hop
        self._shown: tuple[ChatItemView, ...] = ()
        self._importing = ChatImport(store, notices, hop, self)
        self._connect()
        self.refresh_chats()
        self.refresh_documents()

    def _connect(self) -> None:
        sidebar, chat = self._sidebar, self._chat
        sidebar.new_chat_requested.connect(lambda: chat.open(None))
        sidebar.chat_selected.connect(lambda chat_id: chat.open(int(chat_id)))
        sidebar.chat_renamed.connect(self._on_renamed)
        sidebar.chat_pin_changed.connect(self._on_pinned)
        sidebar.chat_folder_changed.connect(self._on_moved)
        sidebar.chat_delete_requested.connect(lambda chat_id: self.delete(int(chat_id)))
        sidebar.chat_export_requested.connect(lambda i, how: self.export(int(i), how))
        sidebar.chat_import_requested.connect(self.choose_imports)
        sidebar.chat_files_dropped.connect(self._importing.add)
        self._importing.imported.connect(self._on_imported)
        self._importing.undone.connect(self._on_import_undone)
        sidebar.search_changed.connect(self._on_search)
        sidebar.hit_selected.connect(self._on_hit)
        sidebar.document_attach_requested.connect(self._on_attach)
        chat.opened.connect(self._on_opened)
        chat.list_changed.connect(self.refresh_chats)
        self._shelf.changed.connect(lambda _chat_id: self.refresh_documents())
        self._engine.session_changed.connect(lambda _session: self._refresh_activity())

    # ---- lists

    def refresh_chats(self) -> None:
        """Read the list of chats again."""
        self._shown = tuple(self._item(chat) for chat in self._store.chats.all())
        self._sidebar.set_chats(self._shown)

    def _refresh_activity(self) -> None:
        # Progress comes many times a second: only what it can change is looked at.
        shown = tuple(
            msgspec.structs.replace(item, activity=self._activity(int(item.id)))
            for item in self._shown
        )
        if shown != self._shown:
            self._shown = shown
            self._sidebar.set_chats(shown)

    def _item(self, chat: Chat) -> ChatItemView:
        return ChatItemView(
            id=str(chat.id),
            title=chat.title or self.tr("New chat"),
            updated_at=datetime.fromtimestamp(chat.updated_at).astimezone(),
            tokens=chat.token_count,
            is_pinned=chat.pinned,
            folder=chat.folder,
            activity=self._activity(chat.id),
        )

    def _activity(self, chat_id: int) -> ChatActivity:
        if self._chat.replying_in != chat_id:
            return "idle"
        return "writing" if self._engine.session.state is State.WRITING else "reading"

    def refresh_documents(self) -> None:
        """Read the list of documents again; those being read stand first."""
        in_chat = {held.key: held for held in self._shelf.held(self._chat.chat_id)}
        # A document that was just read may be on its way to the disk still.
        unsaved = [_held_item(held) for held in in_chat.values()]
        known = [
            self._document_item(info, in_chat)
            for info in self._store.documents.all()[:_RECENT_DOCUMENTS]
        ]
        shown = {item.id for item in known}
        self._sidebar.set_documents((*[item for item in unsaved if item.id not in shown], *known))

    def _document_item(self, info: DocumentInfo, in_chat: dict[str, Held]) -> DocumentItemView:
        held = in_chat.get(info.id)
        tokens = None
        loaded = self._engine.session.loaded
        if loaded is not None:
            counts = self._store.documents.token_counts(info.id, loaded.model.vocabulary_id)
            tokens = counts.total if counts else None
        state: DocumentState = "ready" if held and held.state == "ready" else "on_disk"
        return DocumentItemView(
            id=info.id, name=info.name, state=state, pages=info.page_count, tokens=tokens
        )

    # ---- chats

    def delete(self, chat_id: int) -> None:
        """Delete a chat; can be undone."""
        saving = self._store.chats.delete(chat_id)
        self._hop.when_done(
            saving.done, lambda _none: self._deleted(saving.value), self._notices.error
        )

    def _deleted(self, deletion: Deletion) -> None:
        self._chat.forget_branch(deletion.chat_id)
        self.refresh_chats()
        self._notices.undoable(self.tr("Chat deleted."), partial(self._undelete, deletion))

    def _undelete(self, deletion: Deletion) -> None:
        def back(_none: None) -> None:
            self.refresh_chats()
            self._chat.open(deletion.chat_id)

        self._hop.when_done(self._store.chats.undo(deletion), back, self._notices.error)

    def _on_renamed(self, chat_id: str, title: str) -> None:
        self._chat.rename(int(chat_id), title)

    def _on_pinned(self, chat_id: str, pinned: bool) -> None:
        self._refresh_after(self._store.chats.pin(int(chat_id), pinned=pinned))

    def _on_moved(self, chat_id: str, folder: str) -> None:
        self._refresh_after(self._store.chats.move(int(chat_id), folder))

    def _refresh_after(self, done: Future[None]) -> None:
        self._hop.when_done(done, lambda _none: self.refresh_chats(), self._notices.error)

    def export(self, chat_id: int, how: str) -> None:
        """Ask where to, and write a chat as Markdown or JSON."""
        from widgets import file_dialogs

        chat = self._store.chats.get(chat_id)
        if chat is None:
            return
        ending = "md" if how == "markdown" else "json"
        name = "".join(c if c.isalnum() or c in " -_" else "_" for c in chat.title) or "chat"
        title = self.tr("Export chat")
        if path := file_dialogs.save_file(self._sidebar, title, f"{name[:60]}.{ending}"):
            self.export_to(chat_id, how, Path(path))

    def export_to(self, chat_id: int, how: str, path: Path) -> None:
        """Write a chat to a file."""
        try:
            if how == "markdown":
                written = self._store.export_markdown(chat_id).encode("utf-8", "replace")
            else:
                written = self._store.export_json(chat_id)
            write_whole(path, written)
        except UserError as error:
            self._notices.error(error)
        except OSError as error:
            reason = error.strerror or str(error)
            self._notices.error(UserError("app.not_exported", path=str(path), reason=reason))
        else:
            self._notices.say(self.tr("Exported to {path}.").format(path=path))

    def choose_imports(self) -> None:
        """Ask for files, and add the chats that were exported to them."""
        from widgets import file_dialogs

        paths = file_dialogs.open_files(
            self._sidebar,
            self.tr("Import chats"),
            file_dialogs.Purpose.EXPORTS,
            self.tr("Exported chats (*.json);;All files (*)"),
        )
        if paths:
            self._importing.add(paths)

    def _on_imported(self, chat_ids: tuple[int, ...]) -> None:
        self.refresh_chats()
        self._sidebar.chat_selected.emit(str(chat_ids[0]))

    def _on_import_undone(self, chat_id: int) -> None:
        self._chat.forget_branch(chat_id)
        self.refresh_chats()

    def close(self) -> None:
        """Stop reading files; for the end of the app."""
        self._importing.close()

    # ---- search

    def _on_search(self, text: str) -> None:
        hits = self._store.search.find(text) if text.strip() else ()
        views = tuple(
            SearchHitView(
                chat_id=str(hit.chat_id),
                title=hit.title or self.tr("New chat"),
                snippet=hit.snippet,
                message_id=str(hit.message_id or ""),
                marks=hit.marks,
            )
            for hit in hits
        )
        self._sidebar.set_hits(text.strip(), views)

    def _on_hit(self, chat_id: str, message_id: str) -> None:
        self._chat.open(int(chat_id))
        if message_id:
            self.message_found.emit(int(chat_id), int(message_id))

    # ---- documents

    def _on_attach(self, document_id: str) -> None:
        self._shelf.add_stored(self._chat.ensure_chat(), document_id)

    def _on_opened(self, chat_id: int | None) -> None:
        self._sidebar.set_current_chat("" if chat_id is None else str(chat_id))
        self.refresh_documents()


def _held_item(held: Held) -> DocumentItemView:
    state: DocumentState = "reading"
    if held.state == "failed":
        state = "failed"
    elif held.document is not None:
        state = "ready"
    return DocumentItemView(
        id=held.key,
        name=held.name,
        state=state,
        pages=held.page_count,
        fraction=held.fraction,
        problem=held.problem.message if held.problem else "",
    )
