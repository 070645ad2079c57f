"""One message: records, reasoning, text, state and footer stacked in a column.

Made by the transcript for messages near the window only. It keeps no text of its own beyond what
its parts show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QGuiApplication, QPainter, QPen
from PySide6.QtWidgets import QWidget

from widgets import icons, theme
from widgets.chat.blockviews import body_style
from widgets.chat.body import Body
from widgets.chat.editbox import EditBox
from widgets.chat.footer import Footer
from widgets.chat.plaintext import neutralised
from widgets.chat.progress import progress_share, progress_text, writing_groups
from widgets.chat.record import ProgressRow, StateRow
from widgets.chat.record_row import RecordRow
from widgets.chat.selection import plain_text, whole
from widgets.chat.thinking import ThinkingFold

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QEnterEvent, QPaintEvent

    from widgets.chat.blockviews import Tone
    from widgets.chat.typeset import Typesetter
    from widgets.chat.viewdata import MessageView, ProgressView

_BUBBLE_X: Final = 15
_BUBBLE_Y: Final = 10
_BUBBLE_SHARE: Final = 0.84
_GAP_PX: Final = 12
_DOCUMENTS_PX: Final = 28


class MessageWidget(QWidget):
    """Owned by the transcript; lives on the GUI thread.

    Signals:
        action_requested: ``regenerate``, ``branch``, ``delete`` or ``continue``.
        resend_requested: The message was edited to this text.
        version_requested: Index of the version to show.
        record_action_requested: Id of the record whose link was pressed.
        record_edited: Id of the record and its new text.
        link_clicked: Target of a link or citation.
        height_changed: It became taller or shorter without being asked to.
    """

    action_requested = Signal(str)
    resend_requested = Signal(str)
    version_requested = Signal(int)
    record_action_requested = Signal(str)
    record_edited = Signal(str, str)
    link_clicked = Signal(str)
    height_changed = Signal()

    def __init__(
        self, view: MessageView, typesetter: Typesetter, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.view = view
        self._typesetter = typesetter
        self._is_reply = view.role != "user"
        self._hovered = False
        self._focused = False
        self._is_last = False
        self._bubble = QRectF()
        self.records: list[RecordRow] = []
        self._fold: ThinkingFold | None = None
        self._progress: ProgressRow | None = None
        self._state: StateRow | None = None
        self.edit_box: EditBox | None = None
        self._natural_width = 0.0
        self._shown_text = ""
        tone: Tone = "dim" if view.role == "system" else "text"
        self.body = Body(typesetter, self, verbatim=not self._is_reply, tone=tone)
        self.body.link_clicked.connect(self.link_clicked)
        self.body.height_changed.connect(self.height_changed)
        self.footer = Footer(self, is_reply=self._is_reply)
        self.footer.action_requested.connect(self._on_action)
        self.footer.version_requested.connect(self.version_requested)
        self.setObjectName(f"message_{view.id}")
        self._show(view, first=True)

    # Content

    def show_view(self, view: MessageView) -> None:
        """Take a new state of the message."""
        self._show(view, first=False)

    def _show(self, view: MessageView, *, first: bool) -> None:
        before, self.view = self.view, view
        streaming = view.state == "streaming"
        if first or view.text != self._shown_text or view.citations != before.citations:
            self.body.set_text(view.text, view.citations, is_open=streaming)
            self._shown_text = view.text
            self._natural_width = 0.0
        elif before.state == "streaming" and not streaming:
            self.body.finish()
        if first or view.records != before.records:
            self._make_records()
        self._show_thinking(view, streaming=streaming)
        if first or (view.state, view.state_text) != (before.state, before.state_text):
            self._make_state(view)
        if not streaming:
            self.set_progress(None)
        self._name(view)
        self.footer.show_view(view, is_busy=streaming or view.state == "queued")

    def _name(self, view: MessageView) -> None:
        who = self.tr("You") if not self._is_reply else self.tr("Reply")
        self.setAccessibleName(f"{who}: {view.text[:200]}")
        self.body.setAccessibleName(who)
        self.body.setAccessibleDescription(view.text[:4000])

    def _show_thinking(self, view: MessageView, *, streaming: bool) -> None:
        if view.thinking and self._fold is None:
            self._fold = ThinkingFold(self._typesetter, self)
            self._fold.height_changed.connect(self.height_changed)
            self._fold.show()
        if self._fold is not None:
            going_on = streaming and not view.text
            self._fold.set_text(view.thinking, view.thinking_seconds, is_open=going_on)

    def append(self, text: str, thinking: str) -> None:
        """Show more of a streaming reply."""
        if thinking:
            if self._fold is None:
                self._fold = ThinkingFold(self._typesetter, self)
                self._fold.set_text("", None, is_open=True)
                self._fold.height_changed.connect(self.height_changed)
                self._fold.show()
            self._fold.append(thinking)
        if text:
            if self._fold is not None:
                self._fold.set_going_on(False)
            self._hide_progress()
            self.body.append(text)

    def forget_text(self, text: str) -> None:
        """The body shows `text` already, it came by `append`."""
        self._shown_text = text

    def set_progress(self, progress: ProgressView | None) -> None:
        """Show what is being done for the reply."""
        if progress is None:
            self._hide_progress()
        elif progress.phase == "writing":
            self._hide_progress()
            self.footer.stats.show_groups(writing_groups(progress))
            self.footer.arrange()
        else:
            if self._progress is None:
                self._progress = ProgressRow(self)
            self._progress.setVisible(True)
            self._progress.show_progress(progress_text(progress), progress_share(progress))

    def progress_text(self) -> str:
        """What is said to be done for the reply, empty when nothing is."""
        if self._progress is None or self._progress.isHidden():
            return ""
        return self._progress.accessibleName()

    def _hide_progress(self) -> None:
        if self._progress is not None:
            self._progress.setVisible(False)

    def _make_records(self) -> None:
        for row in self.records:
            row.hide()
            row.deleteLater()
        self.records = []
        for record in self.view.records:
            row = RecordRow(record, self)
            row.action_requested.connect(self.record_action_requested)
            row.target_requested.connect(self.link_clicked)
            row.edited.connect(self.record_edited)
            row.height_changed.connect(self.height_changed)
            row.show()
            self.records.append(row)

    def _make_state(self, view: MessageView) -> None:
        if self._state is not None:
            self._state.hide()
            self._state.deleteLater()
            self._state = None
        words = {
            "stopped": (self.tr("Stopped by you."), "stop", "dim"),
            "failed": (self.tr("The reply could not be written."), "error", "bad"),
            "interrupted": (self.tr("The reply was cut off; its text is kept."), "warning", "warn"),
            "queued": (self.tr("Waits for the reply before it."), "clock", "dim"),
        }.get(view.state)
        if words is None:
            return
        text, mark, tone = words
        self._state = StateRow(view.state_text or text, mark, tone, self)
        self._state.continue_requested.connect(lambda: self.action_requested.emit("continue"))
        if view.state in ("stopped", "interrupted") and self._is_reply:
            self._state.offer_continue()
        self._state.show()

    # Actions

    def _on_action(self, action: str) -> None:
        if action == "copy":
            QGuiApplication.clipboard().setText(self.view.text)
            self.footer.say_copied()
        elif action == "copy_plain":
            everything = whole(self.body.flow)
            text = plain_text(self.body.flow, everything) if everything else ""
            QGuiApplication.clipboard().setText(text)
            self.footer.say_copied()
        elif action == "edit":
            self.begin_edit()
        else:
            self.action_requested.emit(action)

    def begin_edit(self) -> None:
        """Put the text into an input in place of the bubble."""
        if self.edit_box is None and not self._is_reply:
            self.edit_box = EditBox(self.view.text, self)
            self.edit_box.accepted.connect(self._on_edited)
            self.edit_box.cancelled.connect(self.end_edit)
            self.edit_box.height_changed.connect(self.height_changed)
            self.edit_box.show()
            self.body.hide()
            self.edit_box.input.setFocus()
            self._show_actions()
            self.height_changed.emit()

    def end_edit(self) -> None:
        """Leave the input without sending."""
        if self.edit_box is not None:
            self.edit_box.hide()
            self.edit_box.deleteLater()
            self.edit_box = None
            self.body.show()
            self.body.setFocus()
            self._show_actions()
            self.height_changed.emit()

    @property
    def is_held(self) -> bool:
        """Whether dropping the widget would lose something: an edit, a selection, the focus."""
        is_edited = self.edit_box is not None or any(row.is_held for row in self.records)
        return is_edited or self.body.has_selection() or self._focused

    def _on_edited(self, text: str) -> None:
        self.end_edit()
        self.resend_requested.emit(text)

    # Hover and focus

    def set_last(self, is_last: bool) -> None:
        """The last reply shows its actions always."""
        self._is_last = is_last
        self._show_actions()

    def set_focus_within(self, focused: bool) -> None:
        """The keyboard is in this message."""
        if focused != self._focused:
            self._focused = focused
            self._show_actions()
            self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        """The pointer is on the message."""
        self._hovered = True
        self._show_actions()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer left."""
        self._hovered = False
        self.footer.forget_copied()
        self._show_actions()
        super().leaveEvent(event)

    def _show_actions(self) -> None:
        shown = self._hovered or self._focused or (self._is_last and self._is_reply)
        self.footer.set_actions_shown(shown and self.edit_box is None)

    # Geometry

    def place(self, width: int, top: float, bottom: float) -> int:
        """Lay out at a width what lies between two heights; returns the height."""
        y = self._place_records(width, 0, follows=False)
        y = (
            self._place_reply(width, y, top, bottom)
            if self._is_reply
            else self._place_own(width, y, top, bottom)
        )
        if any(row.record.follows for row in self.records):
            y = self._place_records(width, y + _GAP_PX, follows=True) - _GAP_PX
        if self._state is not None:
            height = max(20, self._state.heightForWidth(width))
            x = 0 if self._is_reply else max(0, width - theme.px(230))
            self._state.setGeometry(x, y + 6, width - x, height)
            y += height + 6
        foot = self.footer.height_for(width)
        gap = 4 if self._is_reply else 0
        self.footer.setGeometry(0, y + gap, width, foot)
        self.footer.arrange()
        return y + gap + foot + (12 if self._is_reply else 0)

    def _place_records(self, width: int, y: int, *, follows: bool) -> int:
        for row in self.records:
            if row.record.follows == follows:
                height = max(theme.px(34), row.heightForWidth(width))
                row.setGeometry(0, y, width, height)
                y += height + _GAP_PX
        return y

    def _place_reply(self, width: int, y: int, top: float, bottom: float) -> int:
        if self._fold is not None:
            height = self._fold.place(width, top - y, bottom - y)
            self._fold.setGeometry(0, y, width, height)
            y += height + 6
        if self._progress is not None and not self._progress.isHidden():
            height = theme.px(34)
            self._progress.setGeometry(0, y, width, height)
            y += height
        return y + self._place_body(0, y, width, top, bottom)

    def _place_body(self, x: int, y: int, width: int, top: float, bottom: float) -> int:
        self.body.flow.set_width(float(width))
        self.body.realise(top - y, bottom - y)
        height = round(self.body.flow.height)
        self.body.setGeometry(x, y, width, height)
        return height

    def _place_own(self, width: int, y: int, top: float, bottom: float) -> int:
        if self.view.documents:
            y += theme.px(_DOCUMENTS_PX)
        widest = round(width * _BUBBLE_SHARE)
        if self.edit_box is not None:
            height = self.edit_box.height_for(widest)
            self.edit_box.setGeometry(width - widest, y, widest, height)
            self._bubble = QRectF()
            return y + height
        inner = min(widest - 2 * _BUBBLE_X, round(self._wanted_width()))
        left = width - inner - _BUBBLE_X
        height = self._place_body(left, y + _BUBBLE_Y, inner, top, bottom)
        self._bubble = QRectF(left - _BUBBLE_X, y, inner + 2 * _BUBBLE_X, height + 2 * _BUBBLE_Y)
        return y + height + 2 * _BUBBLE_Y

    def _wanted_width(self) -> float:
        if not self._natural_width:
            text = neutralised(self.view.text)
            if "```" in text or len(text) > 2000:
                self._natural_width = 10_000.0
            else:
                metrics = QFontMetricsF(body_style().font)
                lines = text.replace("\t", "    ").split("\n")
                self._natural_width = max(metrics.horizontalAdvance(line) for line in lines) + 3
        return max(self._natural_width, 24.0)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the bubble, the documents and the mark of the keyboard's place."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = theme.current()
        if not self._bubble.isEmpty():
            style = Qt.PenStyle.DashLine if self.view.state == "queued" else Qt.PenStyle.SolidLine
            painter.setPen(QPen(QColor(colors.line), 1, style))
            painter.setBrush(QColor(colors.card))
            painter.drawRoundedRect(self._bubble.adjusted(0.5, 0.5, -0.5, -0.5), 12, 12)
        if self.view.documents:
            self._paint_documents(painter)
        if self._focused and self.edit_box is None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent))
            x = self.width() - 2.0 if not self._is_reply else 0.0
            if self._is_reply:
                painter.drawRoundedRect(QRectF(x, self.footer.y() - 2, 24, 2), 1, 1)
            else:
                painter.drawRoundedRect(QRectF(x - 22, self.footer.y() - 2, 24, 2), 1, 1)

    def _paint_documents(self, painter: QPainter) -> None:
        font = theme.font("meta")
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(QColor(theme.current().dim))
        x = float(self.width())
        bottom = (
            self._bubble.top() if not self._bubble.isEmpty() else float(theme.px(_DOCUMENTS_PX))
        )
        for name in reversed(self.view.documents):
            shown = metrics.elidedText(
                neutralised(name), Qt.TextElideMode.ElideMiddle, theme.px(220)
            )
            x -= metrics.horizontalAdvance(shown)
            if x < 24:
                break
            box = QRectF(x, bottom - theme.px(_DOCUMENTS_PX), theme.px(240), theme.px(20))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)
            x -= 20
            painter.drawPixmap(
                round(x),
                round(bottom - theme.px(_DOCUMENTS_PX) + 2),
                icons.pixmap("document", "dim", 16),
            )
            x -= 12

    def restyle(self) -> None:
        """Take the colours in force."""
        self.body.restyle()
        if self._fold is not None:
            self._fold.restyle()
        self._natural_width = 0.0
        self.footer.stats.restyle()
        self._make_records()
        self._make_state(self.view)
        self.update()
