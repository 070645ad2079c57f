"""The library's page: all documents, searched and sorted, and what can be done with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QFrame, QMenu, QWidget

from widgets import icons, theme
from widgets.dialogs.name import NameDialog
from widgets.drop_overlay import DropOverlay
from widgets.figures import whole
from widgets.library.rows import LibraryDelegate, rows_for
from widgets.library.viewdata import ORDERS, LibraryItemView, Order, in_order, matching
from widgets.parts import ElidedLabel, button, column, hairline, label, page_head, row
from widgets.search_line import SearchLine
from widgets.section_list import SectionList
from widgets.wrapping import FlowLayout, PairLayout

if TYPE_CHECKING:
    from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
    from PySide6.QtWidgets import QPushButton

_CHOSEN_PX: Final = 60


class LibraryPage(QFrame):
    """Enter or a double click opens, F2 renames, Del deletes, dropped files are added.

    Main thread. Nothing is changed here: the owner does it and sends other items.

    Signals:
        open_requested: The id of a document to look at.
        attach_requested: The id of a document to put into the open chat.
        renamed: (id, new name).
        delete_requested: The id of a document.
        add_requested: Files are to be chosen.
        files_dropped: Paths.
    """

    open_requested = Signal(str)
    attach_requested = Signal(str)
    renamed = Signal(str, str)
    delete_requested = Signal(str)
    add_requested = Signal()
    files_dropped = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("library_page")
        self.setAccessibleName(self.tr("Library"))
        self.setProperty("surface", "bg")
        self.setAcceptDrops(True)
        self._items: dict[str, LibraryItemView] = {}
        self.search = SearchLine(
            "library_search",
            self.tr("Search the library"),
            self.tr("Search by name, format, chat or folder"),
        )
        self.order = QComboBox()
        self.list = SectionList("library_list", self.tr("Documents"), LibraryDelegate())
        self._summary = ElidedLabel("", "meta", "dim")
        self._summary.setObjectName("library_summary")
        self._chosen = ElidedLabel("", "meta", "dim")
        self._acts: dict[str, QPushButton] = {}
        self._empty = self._made_empty()
        self._nothing = label("", "body", "dim", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._foot = QWidget()
        self._arrange()
        self._veil = DropOverlay(
            self,
            self.tr("Drop to add it to the library"),
            self.tr("Drop to add {count} documents to the library"),
        )
        self._connect()
        self.set_items(())

    # ---- what it is given

    def set_items(self, items: tuple[LibraryItemView, ...]) -> None:
        """Show other documents under the same search and order."""
        self._items = {item.id: item for item in items}
        pages = sum(item.pages or 0 for item in items)
        count = self.tr("1 document") if len(items) == 1 else self.tr("{n} documents")
        words = f"{count} · {self.tr('{pages} pages')}" if items else ""
        self._summary.set_whole(words.format(n=whole(len(items)), pages=whole(pages)))
        self._show()

    def items(self) -> tuple[LibraryItemView, ...]:
        """All documents, whatever is searched for."""
        return tuple(self._items.values())

    def choose(self, ident: str) -> None:
        """Mark a document."""
        self.list.choose(ident)
        self._show_chosen()

    # ---- putting together

    def _arrange(self) -> None:
        add = button(self.tr("Add documents …"), "library_add")
        add.clicked.connect(self.add_requested)
        top = page_head((label(self.tr("Library"), "title"), self._summary), (add,))
        tools = row(theme.SPACE.s)
        tools.addWidget(self.search, 1)
        tools.addWidget(self._made_order())
        body = column(theme.SPACE.m, (theme.SPACE.xl, theme.SPACE.l, theme.SPACE.xl, 0))
        self._tools = QWidget()
        self._tools.setLayout(tools)
        body.addWidget(self._tools)
        body.addWidget(self._empty, 1)
        body.addWidget(self._nothing)
        body.addWidget(self.list, 1)
        body.addStretch(0)
        self._foot.setLayout(self._made_foot())
        whole_page = column()
        whole_page.addWidget(top)
        whole_page.addWidget(hairline())
        whole_page.addLayout(body, 1)
        whole_page.addWidget(self._foot)
        self.setLayout(whole_page)

    def _made_order(self) -> QComboBox:
        self.order.setObjectName("library_order")
        self.order.setAccessibleName(self.tr("Order"))
        names: dict[Order, str] = {
            "added": self.tr("Newest first"),
            "name": self.tr("By name"),
            "pages": self.tr("Most pages"),
            "tokens": self.tr("Most tokens"),
            "size": self.tr("Largest file"),
        }
        for order in ORDERS:
            self.order.addItem(names[order], order)
        return self.order

    def _made_empty(self) -> QWidget:
        made = QWidget()
        made.setObjectName("library_empty")
        mark = label()
        mark.setPixmap(icons.pixmap("document", "faint", 32, 2))
        title = label(self.tr("No documents yet"), "title")
        text = label(
            self.tr(
                "Drop files here: PDF, Word, PowerPoint, Excel, EPUB, HTML, e-mail, text, code, "
                "or a folder. Each is read once, on this computer, and can be used in any chat."
            ),
            "body",
            "dim",
            wrap=True,
        )
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        add = button(self.tr("Add documents …"), "library_empty_add", "primary")
        add.clicked.connect(self.add_requested)
        inside = column(theme.SPACE.m)
        inside.addStretch(2)
        for widget in (mark, title):
            inside.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        words = row(0)
        words.addStretch(1)
        words.addWidget(text, 4)
        words.addStretch(1)
        inside.addLayout(words)
        inside.addWidget(add, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addStretch(3)
        made.setLayout(inside)
        return made

    def _made_foot(self) -> PairLayout:
        foot = PairLayout(theme.SPACE.s)
        foot.setContentsMargins(theme.SPACE.xl, theme.SPACE.s, theme.SPACE.l, theme.SPACE.m)
        theme.size(self._chosen, "MinimumWidth", _CHOSEN_PX)
        foot.addWidget(self._chosen)
        buttons, acts = FlowLayout(theme.SPACE.s), QWidget()
        for words, name, act in (
            (self.tr("Delete"), "library_delete", self._delete),
            (self.tr("Rename …"), "library_rename", self._rename),
            (self.tr("Open"), "library_open", self._open),
            (self.tr("Add to this chat"), "library_attach", self._attach),
        ):
            kind = "primary" if act == self._attach else "danger" if act == self._delete else ""
            made = button(words, name, kind)  # type: ignore[arg-type]
            made.clicked.connect(act)
            self._acts[name] = made
            buttons.addWidget(made)
        acts.setLayout(buttons)
        foot.addWidget(acts)
        return foot

    def _connect(self) -> None:
        self.search.textChanged.connect(lambda _text: self._show())
        self.order.currentIndexChanged.connect(lambda _at: self._show())
        self.list.confirmed.connect(self.open_requested)
        self.list.delete_pressed.connect(self.delete_requested)
        self.list.menu_wanted.connect(self._on_menu)
        self.list.selectionModel().currentChanged.connect(lambda *_: self._show_chosen())
        rename = QShortcut(QKeySequence("F2"), self.list)
        rename.setContext(Qt.ShortcutContext.WidgetShortcut)
        rename.activated.connect(self._rename)

    # ---- what happens

    def _show(self) -> None:
        text = self.search.text()
        order: Order = self.order.currentData()
        found = in_order(matching(self._items.values(), text), order)
        self.list.set_rows(rows_for(found))
        if found and not self.list.current_id():
            self.list.choose(next((item.id for item in found if not item.is_reading), ""))
        has_any = bool(self._items)
        self.list.setVisible(bool(found))
        self._tools.setVisible(has_any)
        self._empty.setVisible(not has_any)
        self._nothing.setVisible(has_any and not found)
        self._nothing.setText(self.tr("No document matches “{text}”.").format(text=text))
        self._foot.setVisible(bool(found))
        self._show_chosen()

    def _show_chosen(self) -> None:
        item = self._items.get(self.list.current_id())
        self._chosen.set_whole(item.name if item else "")
        for made in self._acts.values():
            made.setEnabled(item is not None and not item.is_reading)
        if item is not None and item.is_in_chat:
            self._acts["library_attach"].setEnabled(False)

    def _open(self) -> None:
        self.open_requested.emit(self.list.current_id())

    def _attach(self) -> None:
        self.attach_requested.emit(self.list.current_id())

    def _delete(self) -> None:
        self.delete_requested.emit(self.list.current_id())

    def _rename(self) -> None:
        item = self._items.get(self.list.current_id())
        if item is None or item.is_reading:
            return
        asked = NameDialog(
            self,
            self.tr("Rename the document"),
            self.tr("Rename"),
            text=self.tr("The model sees the new name too. The file keeps its own."),
            name=item.name,
        )
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.named.connect(lambda name: self.renamed.emit(item.id, name))
        asked.open()

    def _on_menu(self, ident: str, where: QPoint) -> None:
        self.list.choose(ident)
        self._show_chosen()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(icons.icon("eye"), self.tr("Open"), self._open)
        add = menu.addAction(icons.icon("attach"), self.tr("Add to this chat"), self._attach)
        add.setEnabled(self._acts["library_attach"].isEnabled())
        menu.addAction(icons.icon("edit"), self.tr("Rename …"), self._rename)
        menu.addSeparator()
        menu.addAction(icons.icon("trash", "bad"), self.tr("Delete"), self._delete)
        menu.popup(where)

    # ---- dropped files

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._veil.show_count(len(event.mimeData().urls()))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """They went elsewhere."""
        super().dragLeaveEvent(event)
        self._veil.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add them."""
        self._veil.hide()
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files_dropped.emit(paths)
