"""The box in which a message of the user's own is edited before it is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from widgets import parts, theme

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent, QObject

_MIN_LINES: Final = 2
_MAX_LINES: Final = 14
_CHROME_PX: Final = 74


class EditBox(QFrame):
    """Owned by the message view that is edited. Enter sends, Shift+Enter breaks, Esc leaves.

    Signals:
        accepted: Send this text instead.
        cancelled: Leave the message as it is.
        height_changed: A line came or went.
    """

    accepted = Signal(str)
    cancelled = Signal()
    height_changed = Signal()

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.setObjectName("messageEditBox")
        self.input = QPlainTextEdit()
        self.input.setProperty("bare", "true")
        self.input.setFont(theme.font("body"))
        # The words stay where they stood in the bubble.
        self.input.document().setDocumentMargin(0)
        self.input.setPlainText(text)
        self.input.setTabChangesFocus(True)
        self.input.installEventFilter(self)
        self.input.moveCursor(QTextCursor.MoveOperation.End)
        parts.named(self.input, "messageEditInput", self.tr("Edit message"))
        send = parts.button(self.tr("Send again"), "messageEditSend", "primary")
        cancel = parts.button(self.tr("Cancel"), "messageEditCancel", "quiet")
        send.clicked.connect(self._accept)
        cancel.clicked.connect(self.cancelled)
        column = parts.column(theme.SPACE.s, (14, 10, 10, 10))
        column.addWidget(self.input)
        line = parts.row(theme.SPACE.s)
        line.addWidget(
            parts.label(self.tr("The replies after it stay as a version."), "label", "faint"), 1
        )
        line.addWidget(cancel)
        line.addWidget(send)
        column.addLayout(line)
        self.setLayout(column)
        self._lines = 0
        self.input.textChanged.connect(self._on_text_changed)

    def height_for(self, width: int) -> int:
        """Grows with its text."""
        per_line = max(10, int((width - 40) / theme.px(7)))
        rows = sum(len(line) // per_line + 1 for line in self.input.toPlainText().split("\n"))
        self._lines = min(max(rows, _MIN_LINES), _MAX_LINES)
        return self._lines * self.input.fontMetrics().lineSpacing() + theme.px(_CHROME_PX)

    def _on_text_changed(self) -> None:
        before = self._lines
        self.height_for(self.width())
        if self._lines != before:
            self.height_changed.emit()

    def _accept(self) -> None:
        text = self.input.toPlainText().strip()
        if text:
            self.accepted.emit(text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter and Esc in the input."""
        if watched is self.input and isinstance(event, QKeyEvent) and event.type() == _KEY_PRESS:
            broken = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not broken:
                self._accept()
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.cancelled.emit()
                return True
        return super().eventFilter(watched, event)


_KEY_PRESS: Final = QKeyEvent.Type.KeyPress
