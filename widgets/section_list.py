"""A list with section headings: model, view and the painting that all such lists share.

Chats, documents, search hits and model files are such lists. A row is a heading or an item; an
item carries the frozen view data that its delegate paints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from widgets import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QRect
    from PySide6.QtGui import QFocusEvent, QKeyEvent
    from PySide6.QtWidgets import QWidget

ROW_ROLE: Final = int(Qt.ItemDataRole.UserRole)
Index = QModelIndex | QPersistentModelIndex
_HEADING_PX: Final = 30


class ListRow(msgspec.Struct, frozen=True):
    """A heading (`id` empty) or an item.

    Attributes:
        text: The heading, or the text that is edited and announced.
        view: What the delegate paints; None for a heading.
        detail: Added to what a screen reader announces, and the tooltip.
        is_enabled: A row that cannot be chosen stays visible.
    """

    id: str
    text: str
    view: object = None
    detail: str = ""
    is_enabled: bool = True

    @property
    def is_heading(self) -> bool:
        """Whether it only names what follows."""
        return not self.id


class SectionModel(QAbstractListModel):
    """Holds the rows. Renaming goes out as a signal; the owner sends new rows back.

    Signals:
        renamed: (id, new text) from the editor in place.
    """

    renamed = Signal(str, str)

    def __init__(self, parent: QWidget | None = None, *, editable: bool = False) -> None:
        super().__init__(parent)
        self._rows: list[ListRow] = []
        self._editable = editable

    def set_rows(self, rows: Sequence[ListRow]) -> None:
        """Show other rows. The same ids in the same order only repaint."""
        same = [row.id for row in rows] == [row.id for row in self._rows]
        if same:
            self._rows = list(rows)
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()

    def row_at(self, at: int) -> ListRow:
        """One row."""
        return self._rows[at]

    def index_of(self, ident: str) -> QModelIndex:
        """Where an item is; invalid when it is not shown."""
        for at, each in enumerate(self._rows):
            if each.id == ident:
                return self.index(at)
        return QModelIndex()

    def rowCount(self, _parent: Index | None = None) -> int:
        """Rows under a parent."""
        return len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """What a row shows for a role."""
        if not index.isValid():
            return None
        each = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return each.text
        if role == ROW_ROLE:
            return each
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{each.text}, {each.detail}" if each.detail else each.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return each.detail or None
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Take an edit."""
        text = str(value).strip()
        each = self._rows[index.row()]
        if role != Qt.ItemDataRole.EditRole or not text or text == each.text:
            return False
        self.renamed.emit(each.id, text)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """What can be done with a row."""
        each = self._rows[index.row()]
        if each.is_heading:
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        if each.is_enabled:
            flags |= Qt.ItemFlag.ItemIsEnabled
        if self._editable:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags


class RowDelegate(QStyledItemDelegate):
    """Paints headings and the surface of items; subclasses paint what an item says."""

    item_height_px = 32

    def sizeHint(self, _option: QStyleOptionViewItem, index: Index) -> QSize:
        """The size it would like."""
        each: ListRow = index.data(ROW_ROLE)
        return QSize(80, theme.px(_HEADING_PX if each.is_heading else self.height_of(each)))

    def height_of(self, _row: ListRow) -> int:
        """Height of an item in pixels, at the normal size of text."""
        return self.item_height_px

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one row."""
        each: ListRow = index.data(ROW_ROLE)
        area: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if each.is_heading:
            painter.setFont(theme.font("label", strong=True))
            painter.setPen(theme.color("dim"))
            words = area.adjusted(8, 0, -8, -6)
            painter.drawText(
                words, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, each.text
            )
        else:
            selected, hovered, focused = self._state(option)
            if selected or hovered:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.color("accent_soft" if selected else "free"))
                painter.drawRoundedRect(area.adjusted(0, 1, 0, -1), 8, 8)
            if focused:
                painter.setPen(QPen(theme.color("accent"), 1.4))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(area.adjusted(1, 2, -1, -2), 7, 7)
            self.paint_item(painter, area.adjusted(8, 0, -8, 0), each, selected=selected)
        painter.restore()

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw what an item says inside its padding."""
        raise NotImplementedError

    @staticmethod
    def _state(option: QStyleOptionViewItem) -> tuple[bool, bool, bool]:
        """Whether an item is selected, pointed at, and where the keyboard is."""
        view = option.widget
        assert isinstance(view, QAbstractItemView)
        if not (view.underMouse() or view.hasFocus() or view.selectionModel().hasSelection()):
            # As at the start: what names a state takes PySide longer to make than a whole paint.
            return False, False, False
        from PySide6.QtWidgets import QStyle

        state: QStyle.StateFlag = option.state
        return (
            bool(state & QStyle.StateFlag.State_Selected),
            bool(state & QStyle.StateFlag.State_MouseOver),
            bool(state & QStyle.StateFlag.State_HasFocus),
        )


class SectionList(QListView):
    """A list view with the habits all lists share: Enter opens, F2 renames, headings are skipped.

    Signals:
        opened: The id of an item that was clicked or entered.
        confirmed: The id of an item that was entered or double-clicked.
        delete_pressed: The id of the item on which Delete was pressed.
        menu_wanted: (id, global position) for a context menu.
    """

    opened = Signal(str)
    confirmed = Signal(str)
    delete_pressed = Signal(str)
    menu_wanted = Signal(str, object)

    def __init__(
        self, name: str, accessible: str, delegate: RowDelegate, *, editable: bool = False
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.rows = SectionModel(self, editable=editable)
        self.setModel(self.rows)
        delegate.setParent(self)
        self.setItemDelegate(delegate)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed
            if editable
            else QAbstractItemView.EditTrigger.NoEditTriggers
        )
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)
        self.clicked.connect(self._on_clicked)
        self.doubleClicked.connect(self._on_double_clicked)

    def set_rows(self, rows: Sequence[ListRow]) -> None:
        """Show other rows, keeping the chosen item and the place scrolled to."""
        chosen, scrolled = self.current_id(), self.verticalScrollBar().value()
        self.rows.set_rows(rows)
        if chosen and not self.current_id():
            self.choose(chosen)
        self.verticalScrollBar().setValue(scrolled)

    def choose(self, ident: str) -> None:
        """Mark an item as the chosen one without reporting it; empty chooses none."""
        index = self.rows.index_of(ident) if ident else QModelIndex()
        if index.isValid():
            self.setCurrentIndex(index)
        else:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())

    def current_id(self) -> str:
        """The id of the chosen item, or empty."""
        index = self.currentIndex()
        return self.rows.row_at(index.row()).id if index.isValid() else ""

    def content_height(self) -> int:
        """Pixels that all rows need without scrolling."""
        return sum(self.sizeHintForRow(at) for at in range(self.rows.rowCount())) + 2

    def rename(self, ident: str) -> None:
        """Open the editor on an item."""
        index = self.rows.index_of(ident)
        if index.isValid():
            self.setCurrentIndex(index)
            self.edit(index)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keyboard is, also when nothing was chosen yet."""
        by_keyboard = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        )
        if by_keyboard and not self.currentIndex().isValid():
            self._enter_first()
        super().focusInEvent(event)

    def _enter_first(self) -> None:
        for at in range(self.rows.rowCount()):
            each = self.rows.row_at(at)
            if not each.is_heading and each.is_enabled:
                no_choice = QItemSelectionModel.SelectionFlag.NoUpdate
                self.selectionModel().setCurrentIndex(self.rows.index(at), no_choice)
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Work by keyboard."""
        chosen = self.current_id()
        if chosen and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(chosen)
            self.confirmed.emit(chosen)
        elif chosen and event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit(chosen)
        else:
            super().keyPressEvent(event)

    def _on_clicked(self, index: QModelIndex) -> None:
        each = self.rows.row_at(index.row())
        if not each.is_heading and each.is_enabled:
            self.opened.emit(each.id)

    def _on_double_clicked(self, index: QModelIndex) -> None:
        each = self.rows.row_at(index.row())
        if not each.is_heading and each.is_enabled:
            self.confirmed.emit(each.id)

    def _on_menu(self, where: Any) -> None:  # noqa: ANN401
        index = self.indexAt(where)
        if index.isValid() and not self.rows.row_at(index.row()).is_heading:
            self.menu_wanted.emit(
                self.rows.row_at(index.row()).id, self.viewport().mapToGlobal(where)
            )
