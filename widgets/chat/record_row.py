"""An inline record: a sentence in a dashed frame, what it unfolds, a text that can be edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from widgets import parts, theme
from widgets.chat.partslist import PartsList
from widgets.chat.plaintext import neutralised
from widgets.chat.record import detail_box

if TYPE_CHECKING:
    from PySide6.QtCore import QObject
    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QHBoxLayout

    from widgets.chat.viewdata import RecordView

_EDIT_PX: Final = 140


class RecordRow(QWidget):
    """An inline record, dashed, with its link. Unfolds its own detail.

    Signals:
        action_requested: The link of a record without detail was pressed; carries the record's id.
        target_requested: A page was asked for in its list of parts.
        edited: Its text was changed: the record's id and the new text.
        height_changed: It was folded or unfolded.
    """

    action_requested = Signal(str)
    target_requested = Signal(str)
    edited = Signal(str, str)
    height_changed = Signal()

    def __init__(self, record: RecordView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.record = record
        self.setObjectName(f"record_{record.id}")
        self.setAccessibleName(f"{record.text} {record.body}".strip())
        self._detail: QPlainTextEdit | PartsList | None = None
        self._editor: _RecordEditor | None = None
        self._column = parts.column(theme.SPACE.s, (theme.SPACE.m, 6, theme.SPACE.m, 6))
        line = parts.row(theme.SPACE.m)
        line.addWidget(parts.label(record.text, "meta", "dim", wrap=True), 1)
        self._add_links(line)
        self._column.addLayout(line)
        self._body = parts.label(neutralised(record.body), "body", wrap=True)
        self._body.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._body.setVisible(bool(record.body))
        if record.body:
            self._column.addWidget(self._body)
        self.setLayout(self._column)

    def _add_links(self, line: QHBoxLayout) -> None:
        top = Qt.AlignmentFlag.AlignTop
        if self.record.action:
            self._link = parts.button(self.record.action, "recordAction", "link")
            self._link.clicked.connect(self.press)
            line.addWidget(self._link, 0, top)
        if self.record.body:
            edit = parts.button(
                self.tr("Edit"), "recordEdit", "link", accessible=self.tr("Edit the summary")
            )
            edit.clicked.connect(self.begin_edit)
            line.addWidget(edit, 0, top)

    @property
    def is_held(self) -> bool:
        """Whether it is being edited."""
        return self._editor is not None

    def press(self) -> None:
        """Follow the record's link."""
        if not (self.record.detail or self.record.parts):
            self.action_requested.emit(self.record.id)
            return
        if self._detail is None:
            self._detail = self._unfolded()
            self._column.addWidget(self._detail)
            self._detail.show()
        else:
            self._detail.setVisible(self._detail.isHidden())
        shown = not self._detail.isHidden()
        self._link.setText(self.tr("Hide") if shown else self.record.action)
        self.height_changed.emit()

    def _unfolded(self) -> QPlainTextEdit | PartsList:
        if not self.record.parts:
            return detail_box(self.record.detail, "recordDetail")
        listed = PartsList(self.record.parts)
        listed.target_requested.connect(self.target_requested)
        listed.setFixedHeight(listed.height_for(self.width() - 2 * theme.SPACE.m))
        return listed

    def begin_edit(self) -> None:
        """Put the text into an input."""
        if self._editor is None:
            self._editor = _RecordEditor(self.record.body)
            self._editor.accepted.connect(self._on_accepted)
            self._editor.cancelled.connect(self.end_edit)
            self._body.hide()
            self._column.insertWidget(1, self._editor)
            self._editor.input.setFocus()
            self.height_changed.emit()

    def end_edit(self) -> None:
        """Leave the input; the text stays as it was."""
        if self._editor is not None:
            self._editor.hide()
            self._editor.deleteLater()
            self._editor = None
            self._body.show()
            self.height_changed.emit()

    def _on_accepted(self, text: str) -> None:
        self.end_edit()
        if text != self.record.body:
            self.edited.emit(self.record.id, text)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the dashed frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(theme.current().other), 1, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, theme.RADIUS.control, theme.RADIUS.control)


class _RecordEditor(QWidget):
    """Edits the text of a record. Ctrl+Enter keeps it, Esc leaves.

    Signals:
        accepted: Keep this text.
        cancelled: Leave the text as it is.
    """

    accepted = Signal(str)
    cancelled = Signal()

    def __init__(self, text: str) -> None:
        super().__init__()
        self.input = QPlainTextEdit()
        self.input.setPlainText(text)
        self.input.setFont(theme.font("body"))
        theme.size(self.input, "FixedHeight", _EDIT_PX)
        self.input.setTabChangesFocus(True)
        self.input.moveCursor(QTextCursor.MoveOperation.End)
        self.input.installEventFilter(self)
        parts.named(self.input, "recordInput", self.tr("Summary"))
        save = parts.button(self.tr("Save"), "recordSave", "primary")
        cancel = parts.button(self.tr("Cancel"), "recordCancel", "quiet")
        save.clicked.connect(self._accept)
        cancel.clicked.connect(self.cancelled)
        column: QVBoxLayout = parts.column(theme.SPACE.s)
        column.addWidget(self.input)
        line = parts.row(theme.SPACE.s)
        hint = self.tr("The model is told this from the next request on.")
        line.addWidget(parts.label(hint, "label", "faint", wrap=True), 1)
        line.addWidget(cancel)
        line.addWidget(save)
        column.addLayout(line)
        self.setLayout(column)

    def _accept(self) -> None:
        text = self.input.toPlainText().strip()
        if text:
            self.accepted.emit(text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ctrl+Enter and Esc in the input."""
        if watched is self.input and isinstance(event, QKeyEvent):
            is_press = event.type() == QEvent.Type.KeyPress
            if is_press and event.key() == Qt.Key.Key_Escape:
                self.cancelled.emit()
                return True
            entered = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if is_press and entered and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._accept()
                return True
        return super().eventFilter(watched, event)
