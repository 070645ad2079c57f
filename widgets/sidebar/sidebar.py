"""The sidebar: search, New chat, chats by day, documents, and the page switcher."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QFrame, QLineEdit, QMenu, QStackedWidget, QWidget

from widgets import icons, theme
from widgets.drop_overlay import DropOverlay
from widgets.parts import button, column, hairline, icon_button, label, row
from widgets.section_list import SectionList
from widgets.sidebar.chat_menu import ChatMenu
from widgets.sidebar.page_switcher import PageSwitcher
from widgets.sidebar.rows import (
    ChatDelegate,
    DocumentDelegate,
    HitDelegate,
    chat_rows,
    document_rows,
    hit_rows,
)

if TYPE_CHECKING:
    from PySide6.QtCore import QMimeData
    from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
    from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

    from widgets.sidebar.viewdata import ChatItemView, DocumentItemView, SearchHitView

_SEARCH_PAUSE_MS = 120


def _keys_words(keys: str) -> str:
    native = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
    return native.replace("+", " ")


def _files_of(data: QMimeData) -> list[str]:
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]


class Sidebar(QFrame):
    """The left pane. Lists are given to it; every change of them goes out as a signal.

    Main thread. Nothing is deleted here: the owner answers a delete with an undo.

    Signals:
        new_chat_requested: A new chat is wanted.
        chat_selected: The id of the chat to show.
        chat_renamed: (id, title).
        chat_pin_changed: (id, pinned).
        chat_folder_changed: (id, folder or empty).
        chat_delete_requested: The id; the owner deletes with undo.
        chat_export_requested: (id, ``markdown`` or ``json``).
        chat_import_requested: Files with chats are to be chosen.
        chat_files_dropped: Paths of files, of which one at least may be a chat.
        search_changed: Text to search for, after a pause in typing; empty ends the search.
        hit_selected: (chat id, message id or empty).
        document_selected: The id of a document to look at.
        document_attach_requested: The id of a document to put into the open chat.
        document_remove_requested: The id of a document to delete from the library.
        document_add_requested: Files are to be chosen.
        page_requested: The key of a page.
    """

    new_chat_requested = Signal()
    chat_selected = Signal(str)
    chat_renamed = Signal(str, str)
    chat_pin_changed = Signal(str, bool)
    chat_folder_changed = Signal(str, str)
    chat_delete_requested = Signal(str)
    chat_export_requested = Signal(str, str)
    chat_import_requested = Signal()
    chat_files_dropped = Signal(list)
    search_changed = Signal(str)
    hit_selected = Signal(str, str)
    document_selected = Signal(str)
    document_attach_requested = Signal(str)
    document_remove_requested = Signal(str)
    document_add_requested = Signal()
    page_requested = Signal(str)

    def __init__(self, pages: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.setObjectName("sidebar")
        self.setAccessibleName(self.tr("Chats and documents"))
        self.setProperty("surface", "panel")
        self._chats: dict[str, ChatItemView] = {}
        self._current = ""
        self.search = QLineEdit()
        self.new_chat = button("", "new_chat", "primary", accessible=self.tr("New chat"))
        self.chats = SectionList("chat_list", self.tr("Chats"), ChatDelegate(), editable=True)
        self.hits = SectionList("search_hits", self.tr("Search results"), HitDelegate())
        self.documents = SectionList("document_list", self.tr("Documents"), DocumentDelegate())
        self.pages = PageSwitcher(pages)
        self._lists = QStackedWidget()
        self._nothing = label("", "meta", "dim", wrap=True)
        self._no_chats = label(self.tr("Chats you have are listed here."), "meta", "dim", wrap=True)
        self._pause = QTimer(self)
        self._prepare_search()
        self.setLayout(self._arranged())
        self._overlay = DropOverlay(
            self, self.tr("Drop to import it"), self.tr("Drop to import {count} files")
        )
        self.setAcceptDrops(True)
        self._connect()
        self.set_chats(())
        self.set_documents(())

    # ---- what it is given ---------------------------------------------------------------------

    def set_chats(self, chats: tuple[ChatItemView, ...], now: datetime | None = None) -> None:
        """Show chats; `now` decides which day is today."""
        self._chats = {chat.id: chat for chat in chats}
        moment = now or datetime.now().astimezone()
        self.chats.set_rows(chat_rows(chats, moment))
        self._fit_lists()
        self._no_chats.setVisible(not chats)
        self.chats.choose(self._current)

    def set_current_chat(self, chat_id: str) -> None:
        """Mark the open chat without reporting it."""
        self._current = chat_id
        self.chats.choose(chat_id)

    def set_hits(self, text: str, hits: tuple[SearchHitView, ...]) -> None:
        """Show what a search found; an answer to an older text is dropped."""
        if text != self.search.text().strip() or not text:
            return
        self.hits.set_rows(hit_rows(hits))
        self._nothing.setText(self.tr("Nothing found for “{text}”.").format(text=text))
        self._nothing.setVisible(not hits)
        self.hits.setVisible(bool(hits))
        self._lists.setCurrentIndex(1)

    def set_documents(self, documents: tuple[DocumentItemView, ...]) -> None:
        """Show documents; their list is as tall as they are, up to a third of the pane."""
        rows = document_rows(documents)
        self.documents.set_rows(rows)
        self.documents.setVisible(bool(rows))
        self._fit_lists()

    def _fit_lists(self) -> None:
        self.chats.setMaximumHeight(self.chats.content_height())
        self.documents.setFixedHeight(min(self.documents.content_height(), theme.px(240)))

    def show_page(self, key: str) -> None:
        """Mark the page that is shown."""
        self.pages.show_page(key)

    def focus_search(self) -> None:
        """Put the caret into the search."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    # ---- building -----------------------------------------------------------------------------

    def _prepare_search(self) -> None:
        self.search.setObjectName("chat_search")
        self.search.setAccessibleName(self.tr("Search chats"))
        self.search.setPlaceholderText(self.tr("Search"))
        theme.size(self.search, "MinimumHeight", 34)
        self._keys = label(_keys_words("Ctrl+K"), "meta", "faint")
        inside = row(0, (0, 0, 10, 0))
        inside.addStretch(1)
        inside.addWidget(self._keys)
        self.search.setLayout(inside)
        self.search.installEventFilter(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_SEARCH_PAUSE_MS)

    def _arranged(self) -> QVBoxLayout:
        theme.size(self.new_chat, "MinimumHeight", 34)
        inside = row(0, (10, 0, 10, 0))
        for words, strong in ((self.tr("New chat"), True), (_keys_words("Ctrl+N"), False)):
            part = label(words, "body" if strong else "meta", strong=strong)
            part.setProperty("tone", "on_accent" if strong else "on_accent_dim")
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            inside.addWidget(part, 1 if strong else 0)
        self.new_chat.setLayout(inside)
        found = column(0)
        found.addWidget(self._nothing)
        found.addWidget(self.hits, 1)
        found.addStretch(0)
        results = QWidget()
        results.setLayout(found)
        plain = column(0)
        plain.addWidget(self._no_chats)
        plain.addWidget(self.chats, 1000)
        plain.addLayout(self._documents_heading())
        plain.addWidget(self.documents)
        plain.addStretch(1)
        lists = QWidget()
        lists.setLayout(plain)
        self._no_chats.setContentsMargins(8, 12, 8, 0)
        self._nothing.setContentsMargins(8, 16, 8, 0)
        self._lists.addWidget(lists)
        self._lists.addWidget(results)
        edge = 10
        whole = column(10, (edge, theme.SPACE.m, edge, 10))
        whole.addWidget(self.search)
        whole.addWidget(self.new_chat)
        whole.addWidget(self._lists, 1)
        whole.addWidget(hairline())
        whole.addWidget(self.pages)
        return whole

    def _documents_heading(self) -> QHBoxLayout:
        add = icon_button("plus", "document_add", self.tr("Add documents (Ctrl+O)"))
        add.clicked.connect(self.document_add_requested)
        heading = row(0, (8, theme.SPACE.s, 0, 0))
        heading.addWidget(label(self.tr("Documents"), "label", "dim", strong=True), 1)
        heading.addWidget(add)
        return heading

    def _connect(self) -> None:
        self.new_chat.clicked.connect(self.new_chat_requested)
        self.chats.opened.connect(self.chat_selected)
        self.chats.rows.renamed.connect(self.chat_renamed)
        self.chats.delete_pressed.connect(self.chat_delete_requested)
        self.chats.menu_wanted.connect(self._on_chat_menu)
        self.hits.opened.connect(self._on_hit)
        self.documents.opened.connect(self.document_selected)
        self.documents.menu_wanted.connect(self._on_document_menu)
        self.documents.delete_pressed.connect(self.document_remove_requested)
        self.pages.page_requested.connect(self.page_requested)
        theme.signals().changed.connect(self._fit_lists)
        self.search.textChanged.connect(self._on_search_text)
        self._pause.timeout.connect(lambda: self.search_changed.emit(self.search.text().strip()))

    # ---- dropping -----------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Chats that were exported come back where they will be listed."""
        paths = _files_of(event.mimeData())
        if any(path.lower().endswith(".json") for path in paths):
            event.acceptProposedAction()
            self._overlay.show_count(len(paths))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """The files went elsewhere."""
        self._overlay.hide()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Report the paths."""
        self._overlay.hide()
        event.acceptProposedAction()
        self.chat_files_dropped.emit(_files_of(event.mimeData()))

    # ---- what happens -------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Watch events of the watched widget."""
        if watched is self.search and isinstance(event, QKeyEvent):
            pressed = event.type() == QEvent.Type.KeyPress
            if pressed and event.key() == Qt.Key.Key_Escape and self.search.text():
                self.search.clear()
                return True
            if pressed and event.key() == Qt.Key.Key_Down:
                shown = self.hits if self._lists.currentIndex() == 1 else self.chats
                shown.setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return super().eventFilter(watched, event)

    def _on_search_text(self, text: str) -> None:
        self._keys.setVisible(not text)
        if text.strip():
            self._pause.start()
        else:
            self._pause.stop()
            self._lists.setCurrentIndex(0)
            self.search_changed.emit("")

    def _on_hit(self, ident: str) -> None:
        chat_id, _, message_id = ident.partition("\n")
        self.hit_selected.emit(chat_id, message_id)

    def _on_chat_menu(self, chat_id: str, where: QPoint) -> None:
        chat = self._chats.get(chat_id)
        if chat is None:
            return
        self.chat_menu(chat).popup(where)

    def chat_menu(self, chat: ChatItemView) -> ChatMenu:
        """What can be done with a chat."""
        folders = {each.folder for each in self._chats.values() if each.folder}
        menu = ChatMenu(self, chat, sorted(folders, key=str.lower))
        menu.rename_requested.connect(self.chats.rename)
        menu.pin_changed.connect(self.chat_pin_changed)
        menu.folder_changed.connect(self.chat_folder_changed)
        menu.new_folder_requested.connect(self._on_new_folder)
        menu.export_requested.connect(self.chat_export_requested)
        menu.import_requested.connect(self.chat_import_requested)
        menu.delete_requested.connect(self.chat_delete_requested)
        return menu

    def _on_new_folder(self, chat_id: str) -> None:
        from widgets.dialogs.name import NameDialog

        asked = NameDialog(self, self.tr("New folder"), self.tr("Create"))
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.named.connect(lambda name: self.chat_folder_changed.emit(chat_id, name))
        asked.open()

    def _on_document_menu(self, document_id: str, where: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(
            icons.icon("eye"),
            self.tr("Open"),
            lambda: self.document_selected.emit(document_id),
        )
        menu.addAction(
            icons.icon("attach"),
            self.tr("Add to this chat"),
            lambda: self.document_attach_requested.emit(document_id),
        )
        menu.addSeparator()
        menu.addAction(
            icons.icon("trash", "bad"),
            self.tr("Delete"),
            lambda: self.document_remove_requested.emit(document_id),
        )
        menu.popup(where)
