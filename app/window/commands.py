"""What the commands of the window and the buttons of the conversation do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.chat.citing import SCHEME
from app.chat.ledger_choices import policy_choices
from app.reading.words import place_of
from engine.documents.pages import chosen_pages
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QPoint

    from app.chat.chips import DocumentChips
    from app.chat.controller import ChatController
    from app.documents.file_watch import FileWatch
    from app.documents.shelf import Shelf
    from app.documents.viewing import DocumentViewing
    from app.notices import Notices
    from app.sidebar.controller import SidebarController
    from app.store.chat_store import ChatStore
    from app.window.dialogs import Dialogs
    from widgets.chat.chat_view import ChatView
    from widgets.main_window import MainWindow


class Commands(QObject):
    """Connects the conversation and the window's actions with those who carry them out.

    Main thread.

    Args:
        add_files: Puts files into the open chat.
        viewing: Gives who shows documents, which is composed late.
        files: Looks before each request whether a document has changed.
    """

    def __init__(
        self,
        *,
        window: MainWindow,
        view: ChatView,
        store: ChatStore,
        chat: ChatController,
        shelf: Shelf,
        sidebar: SidebarController,
        viewing: Callable[[], DocumentViewing],
        files: FileWatch,
        chips: DocumentChips,
        dialogs: Dialogs,
        notices: Notices,
        add_files: Callable[[list[str]], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._window = window
        self._view = view
        self._store = store
        self._chat = chat
        self._shelf = shelf
        self._sidebar = sidebar
        self._viewing = viewing
        self._files = files
        self._dialogs = dialogs
        self._notices = notices
        self._add_files = add_files
        self._connect_conversation()
        self._connect_actions()
        chips.pages_requested.connect(self._on_pages_requested)
        chips.password_requested.connect(self._on_password_requested)
        sidebar.message_found.connect(self._on_message_found)

    def _connect_conversation(self) -> None:
        view, chat = self._view, self._chat
        view.send_requested.connect(self._on_send)
        view.queue_requested.connect(self._on_send)
        view.queue_removed.connect(chat.unqueue)
        view.stop_requested.connect(chat.stop)
        send = self._files.unless_changed
        view.regenerate_requested.connect(
            lambda i: send(partial(chat.answering().again.regenerate, int(i)))
        )
        view.edit_resend_requested.connect(
            lambda i, text: send(partial(chat.answering().again.edit_and_resend, int(i), text))
        )
        view.continue_requested.connect(
            lambda i: send(partial(chat.answering().again.go_on, int(i)))
        )
        view.branch_requested.connect(lambda i: chat.branch_off(int(i)))
        view.delete_requested.connect(lambda i: chat.delete(int(i)))
        view.version_requested.connect(lambda i, at: chat.show_version(int(i), at))
        view.title_edited.connect(self._on_title_edited)
        view.files_dropped.connect(self._add_files)
        view.attach_requested.connect(self._on_attach)
        view.long_paste.connect(self._on_long_paste)
        view.export_requested.connect(self._on_export)
        view.link_clicked.connect(self._on_link)
        view.chip_open_requested.connect(lambda ident: self._viewing().open_document(ident))
        view.menu_requested.connect(self._on_chat_menu)

    def _connect_actions(self) -> None:
        act = self._window.actions_by_name
        act["find"].triggered.connect(self._view.open_find)
        act["stop"].triggered.connect(self._chat.stop)
        act["regenerate"].triggered.connect(
            lambda: self._files.unless_changed(self._chat.answering().again.regenerate)
        )
        act["copy_last"].triggered.connect(self._on_copy_last)
        act["export"].triggered.connect(lambda: self._on_export("markdown"))
        act["import"].triggered.connect(self._sidebar.choose_imports)
        documents = self._window.sidebar
        documents.document_add_requested.connect(self._on_attach)
        documents.document_selected.connect(lambda ident: self._viewing().open_document(ident))
        act["next_chat"].triggered.connect(partial(self._step_chat, 1))
        act["previous_chat"].triggered.connect(partial(self._step_chat, -1))

    def _on_attach(self) -> None:
        """Add documents to what is looked at: the library, or else the open chat."""
        if self._window.page() == "library":
            self._window.library.add_requested.emit()
        else:
            self._dialogs.choose_files(self._add_files)

    def _on_send(self, text: str) -> None:
        # Begun first, so that the question waits for what is found.
        self._files.check()
        self._chat.send(text)

    def _on_title_edited(self, title: str) -> None:
        if self._chat.chat_id is not None:
            self._chat.rename(self._chat.chat_id, title)

    def _on_long_paste(self, text: str) -> None:
        try:
            self._shelf.add_text(self._chat.ensure_chat(), text)
        except UserError as error:
            self._notices.error(error)

    def _on_export(self, how: str) -> None:
        if self._chat.chat_id is not None:
            self._sidebar.export(self._chat.chat_id, how)

    def _on_chat_menu(self, where: QPoint) -> None:
        from widgets.chat.choice_menu import add_choices

        chat_id = self._chat.chat_id
        menu = QMenu(self._window)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_choices(menu, policy_choices(self._chat.generation().overflow), self._on_policy)
        if chat_id is not None:
            menu.addSeparator()
            menu.addAction(self.tr("Export as Markdown …"), lambda: self._on_export("markdown"))
            menu.addAction(self.tr("Export as JSON …"), lambda: self._on_export("json"))
        menu.addSeparator()
        menu.addAction(self.tr("Import chats …"), self._sidebar.choose_imports)
        if chat_id is not None:
            menu.addSeparator()
            menu.addAction(self.tr("Delete chat"), lambda: self._sidebar.delete(chat_id))
        menu.popup(where)

    def _on_policy(self, choice: str) -> None:
        self._chat.set_overflow(choice.partition(":")[2])

    def _on_link(self, url: str) -> None:
        from PySide6.QtCore import QUrl

        citation = self._chat.citation(url) if QUrl(url).scheme() == SCHEME else None
        if citation is not None:
            self._viewing().open_citation(citation)
        elif (place := place_of(url)) is not None:
            self._viewing().open_document(*place)
        else:
            self._dialogs.open_link(url)

    def _on_copy_last(self) -> None:
        text = self._view.last_reply_text()
        if text:
            QGuiApplication.clipboard().setText(text)
            self._notices.say(self.tr("Reply copied."))

    def _on_pages_requested(self, key: str) -> None:
        chat_id = self._chat.chat_id
        held = self._shelf.find(chat_id, key) if chat_id is not None else None
        if chat_id is None or held is None or held.document is None:
            return
        document = held.document

        def choose(pages: str) -> None:
            try:
                chosen_pages(document, pages)
            except UserError as error:
                self._notices.error(error)
            else:
                self._shelf.choose_pages(chat_id, key, pages)

        self._dialogs.ask_pages(held.name, len(document.pages), held.selection, choose)

    def _on_password_requested(self, key: str, name: str) -> None:
        chat_id = self._chat.chat_id
        if chat_id is not None:
            self._dialogs.ask_password(
                name, lambda password: self._shelf.retry(chat_id, key, password)
            )

    def _step_chat(self, step: int) -> None:
        ids = [chat.id for chat in self._store.chats.all()]
        if not ids:
            return
        at = ids.index(self._chat.chat_id) + step if self._chat.chat_id in ids else 0
        self._chat.open(ids[at % len(ids)])

    def _on_message_found(self, _chat_id: int, message_id: int) -> None:
        ids = [message.id for message in self._view.transcript.messages()]
        if str(message_id) in ids:
            self._view.transcript.scroll_to(ids.index(str(message_id)), 0.0)
