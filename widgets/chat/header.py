"""The line above a conversation: its title, Find, Export and ⋯."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QLineEdit, QMenu, QWidget

from widgets import parts, theme

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent, QObject
    from PySide6.QtGui import QPaintEvent

HEIGHT_PX: Final = 47
# What a line edit leaves beside its text.
_TEXT_MARGIN_PX: Final = 2


class Header(QWidget):
    """Owned by `ChatView`. The title is edited where it stands.

    Signals:
        title_edited: The new title.
        find_requested: Open the find bar.
        export_requested: ``markdown`` or ``json``.
        menu_requested: Global position for a menu of the application's.
    """

    title_edited = Signal(str)
    find_requested = Signal()
    export_requested = Signal(str)
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chatHeader")
        theme.size(self, "FixedHeight", HEIGHT_PX)
        self._title = ""
        self.title = _TitleEdit()
        self.title.setProperty("bare", "true")
        self.title.setFont(theme.font("title"))
        self.title.setPlaceholderText(self.tr("New chat"))
        self.title.setToolTip(self.tr("Click to rename"))
        self.title.setMaxLength(200)
        self.title.installEventFilter(self)
        parts.named(self.title, "chatTitle", self.tr("Title of the chat"))
        self.title.editingFinished.connect(self._on_edited)
        find = parts.button(self.tr("Find"), "chatFind", "quiet")
        find.setToolTip(self.tr("Find in this chat (Ctrl+F)"))
        find.clicked.connect(self.find_requested)
        export = parts.button(self.tr("Export"), "chatExport", "quiet")
        menu = QMenu(export)
        menu.addAction(self.tr("Markdown …"), lambda: self.export_requested.emit("markdown"))
        menu.addAction(self.tr("JSON …"), lambda: self.export_requested.emit("json"))
        export.setMenu(menu)
        self.more = parts.icon_button("more", "chatMore", self.tr("More"))
        self.more.clicked.connect(
            lambda: self.menu_requested.emit(self.more.mapToGlobal(self.more.rect().bottomLeft()))
        )
        line = parts.row(0, (24, 0, 16, 1))
        line.addWidget(self.title, 1)
        for button in (find, export, self.more):
            line.addWidget(button)
        self.setLayout(line)

    def set_title(self, title: str) -> None:
        """Show the title, unless it is being edited."""
        self._title = title
        if not self.title.hasFocus():
            self.title.setText(title)
            self.title.setCursorPosition(0)

    def _on_edited(self) -> None:
        text = " ".join(self.title.text().split())
        if text and text != self._title:
            self._title = text
            self.title_edited.emit(text)
        self.title.setText(self._title)
        self.title.setCursorPosition(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc leaves the title as it was, Enter leaves the input."""
        if watched is self.title and isinstance(event, QKeyEvent):
            if event.type() == QKeyEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
                self.title.setText(self._title)
                self.title.clearFocus()
                return True
            if event.type() == QKeyEvent.Type.KeyPress and event.key() == Qt.Key.Key_Return:
                self.title.clearFocus()
                return True
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the hairline."""
        painter = QPainter(self)
        parts.paint_ground(painter, self.rect(), "bg")
        parts.paint_ground(painter, QRect(0, self.height() - 1, self.width(), 1), "line")


class _TitleEdit(QLineEdit):
    """Says with an ellipsis that a title goes on, which a line edit alone does not."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the title whole while it is edited, else as much of it as fits."""
        if self.hasFocus() or not self.text():
            super().paintEvent(event)
            return
        room = self._room()
        right = Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self.text(), right, room.width())
        if shown == self.text():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), shown)

    def _room(self) -> QRect:
        # Classes that the start can do without: PySide makes each when it is first named.
        from PySide6.QtWidgets import QStyle, QStyleOptionFrame

        options = QStyleOptionFrame()
        self.initStyleOption(options)
        contents = QStyle.SubElement.SE_LineEditContents
        inside = self.style().subElementRect(contents, options, self)
        return inside.adjusted(_TEXT_MARGIN_PX, 0, -_TEXT_MARGIN_PX, 0)
