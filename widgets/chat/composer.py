"""Where a prompt is written: documents, waiting prompts, the input, Send or Stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QWidget

from widgets import icons, parts, theme
from widgets.chat.chips import CHIP_PX, ChipNotice, DocumentChip, QueuedChip, emptied
from widgets.chat.promptedit import PromptEdit
from widgets.chat.viewdata import ComposerState
from widgets.wrapping import FlowLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPaintEvent

    from widgets.chat.viewdata import ChipView


class Composer(QWidget):
    """Owned by `ChatView`; lives on the GUI thread. Keeps the draft and the last prompt.

    Signals:
        send_requested: Send this prompt; the input is cleared.
        queue_requested: Append this prompt to the queue; the input is cleared.
        queue_removed: Index of a waiting prompt that was cancelled or taken back to edit.
        stop_requested: The Stop button.
        attach_requested: Choose files.
        files_pasted: Paths.
        long_paste: Text.
        chip_remove_requested: Id of a document.
        chip_action_requested: Id of a document and of a choice.
        chip_open_requested: Id of a document to look at.
    """

    send_requested = Signal(str)
    queue_requested = Signal(str)
    queue_removed = Signal(int)
    stop_requested = Signal()
    attach_requested = Signal()
    files_pasted = Signal(list)
    long_paste = Signal(str)
    chip_remove_requested = Signal(str)
    chip_action_requested = Signal(str, str)
    chip_open_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self._state = ComposerState()
        self._last_prompt = ""
        self._chips: tuple[ChipView, ...] = ()
        self.input = PromptEdit()
        self._make_buttons()
        self._queue_column = parts.column(6)
        self._chip_flow = FlowLayout(theme.SPACE.s)
        self._chip_row = QWidget()
        self._chip_row.setLayout(self._chip_flow)
        self._notice_column = parts.column(6)
        self._hint = parts.label("", "meta", "dim", wrap=True)
        self._hint.setObjectName("composerHint")
        self._assemble()
        self._connect()
        self.set_state(self._state)
        self.set_chips(())

    def _make_buttons(self) -> None:
        self._attach = parts.icon_button("attach", "composerAttach", self.tr("Add documents"))
        self._add = parts.button(self.tr("+ Add document"), "composerAddDocument")
        self._add.setFont(theme.font("meta"))
        theme.size(self._add, "FixedHeight", CHIP_PX)
        self._send = parts.button(self.tr("Send ⏎"), "composerSend", "primary")
        self._send.setAccessibleName(self.tr("Send"))
        self._stop = parts.button(self.tr("Stop"), "composerStop")
        self._stop.setToolTip(self.tr("Stop (Esc)"))
        icons.bind(self._stop, "stop", "text", 14)
        self._queue = parts.button(self.tr("Send next ⏎"), "composerQueue", "quiet")
        self._queue.setToolTip(self.tr("Waits until the reply is written"))

    def _assemble(self) -> None:
        line = parts.row(theme.SPACE.s)
        line.addWidget(self._attach, 0, Qt.AlignmentFlag.AlignBottom)
        line.addWidget(self.input, 1, Qt.AlignmentFlag.AlignBottom)
        for button in (self._queue, self._stop, self._send):
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        column = parts.column(theme.SPACE.s, (13, 11, 13, 12))
        column.addLayout(self._queue_column)
        column.addWidget(self._chip_row)
        column.addLayout(self._notice_column)
        column.addLayout(line)
        column.addWidget(self._hint)
        self.setLayout(column)

    def _connect(self) -> None:
        self.input.submitted.connect(self._on_submitted)
        self.input.recall_requested.connect(self._on_recall)
        self.input.files_pasted.connect(self.files_pasted)
        self.input.long_paste.connect(self.long_paste)
        self.input.textChanged.connect(self._show_buttons)
        self._send.clicked.connect(self._on_submitted)
        self._queue.clicked.connect(self._on_submitted)
        self._stop.clicked.connect(self.stop_requested)
        self._attach.clicked.connect(self.attach_requested)
        self._add.clicked.connect(self.attach_requested)
        theme.signals().changed.connect(self._on_theme_changed)

    # What is shown

    def set_state(self, state: ComposerState) -> None:
        """Take what is allowed and what waits."""
        queue_changed = state.queued != self._state.queued
        self._state = state
        if queue_changed:
            self._show_queue()
        general = (
            self.tr("Write the next message …") if state.generating else self.tr("Ask anything …")
        )
        self.input.setPlaceholderText(state.placeholder or general)
        self._hint.setText(state.hint)
        self._hint.setVisible(bool(state.hint))
        self._attach.setEnabled(state.can_attach)
        self._add.setEnabled(state.can_attach)
        self._show_buttons()

    def _show_buttons(self) -> None:
        has_text = bool(self.input.toPlainText().strip())
        generating = self._state.generating
        had_focus = self._send.hasFocus() or self._stop.hasFocus() or self._queue.hasFocus()
        self._send.setVisible(not generating)
        self._send.setEnabled(has_text and self._state.can_send)
        self._stop.setVisible(generating)
        self._queue.setVisible(generating and has_text)
        if had_focus and not any(b.hasFocus() for b in (self._send, self._stop, self._queue)):
            self.input.setFocus()

    def _show_queue(self) -> None:
        emptied(self._queue_column)
        for index, text in enumerate(self._state.queued):
            chip = QueuedChip(text)
            chip.edit_requested.connect(lambda i=index, t=text: self._on_queue_edit(i, t))
            chip.cancel_requested.connect(lambda i=index: self.queue_removed.emit(i))
            self._queue_column.addWidget(chip)

    def set_chips(self, chips: Sequence[ChipView]) -> None:
        """Show the documents of the chat."""
        self._chips = tuple(chips)
        emptied(self._chip_flow, keep=(self._add,))
        emptied(self._notice_column)
        for view in self._chips:
            chip = DocumentChip(view)
            chip.remove_requested.connect(self.chip_remove_requested)
            chip.open_requested.connect(self.chip_open_requested)
            self._chip_flow.addWidget(chip)
            if view.message and (view.actions or view.state in ("failed", "too_large")):
                notice = ChipNotice(view)
                notice.action_requested.connect(self.chip_action_requested)
                self._notice_column.addWidget(notice)
        self._chip_flow.addWidget(self._add)
        self._chip_row.setVisible(bool(self._chips))
        self._attach.setVisible(not self._chips)

    def _on_theme_changed(self) -> None:
        self.set_chips(self._chips)
        self._show_queue()
        self.update()

    # What is done

    def draft(self) -> str:
        """The text being typed."""
        return self.input.toPlainText()

    def set_draft(self, text: str) -> None:
        """Put a text into the input."""
        self.input.set_text(text)

    def set_last_prompt(self, text: str) -> None:
        """What Up recalls."""
        self._last_prompt = text

    def _on_submitted(self) -> None:
        text = self.input.toPlainText().strip()
        if not text:
            return
        if self._state.generating:
            self._last_prompt = text
            self.input.clear()
            self.queue_requested.emit(text)
        elif self._state.can_send:
            self._last_prompt = text
            self.input.clear()
            self.send_requested.emit(text)

    def _on_recall(self) -> None:
        if self._last_prompt:
            self.input.set_text(self._last_prompt)

    def _on_queue_edit(self, index: int, text: str) -> None:
        draft = self.input.toPlainText().strip()
        self.input.set_text(f"{text}\n{draft}" if draft else text)
        self.queue_removed.emit(index)
        self.input.setFocus()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the card with its faint shadow."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -3.5)
        painter.setPen(Qt.PenStyle.NoPen)
        for drop, alpha in ((3, 8), (2, 10), (1, 12)):
            painter.setBrush(QColor(0, 0, 0, alpha))
            painter.drawRoundedRect(box.translated(0, drop), 14, 14)
        painter.setBrush(theme.color("card"))
        painter.setPen(QPen(theme.color("line"), 1))
        painter.drawRoundedRect(box, theme.RADIUS.composer, theme.RADIUS.composer)
