"""Rows that say what went wrong and what is going on, and the cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from widgets import parts, theme
from widgets.icons import pixmap
from widgets.wrapping import FlowLayout

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QLabel

    from widgets.chat.viewdata import CardKind, CardView

_DETAIL_PX: Final = 120
_SHORT_CHARS: Final = 60
_MARKS: Final[dict[CardKind, tuple[str, str]]] = {
    "first_run": ("leadline", "accent"),
    "empty": ("leadline", "accent"),
    "engine_died": ("error", "bad"),
    "context_full": ("warning", "warn"),
    "notice": ("info", "accent"),
    "error": ("error", "bad"),
}


def detail_box(text: str, name: str) -> QPlainTextEdit:
    """Technical text that can be read, selected and copied."""
    box = QPlainTextEdit()
    box.setReadOnly(True)
    box.setPlainText(text)
    box.setFont(theme.font("mono"))
    theme.size(box, "FixedHeight", _DETAIL_PX)
    box.setTabChangesFocus(True)
    parts.named(box, name, box.tr("Details"))
    return box


class ProgressRow(QWidget):
    """What is being done for a reply before its first word: a sentence and a thin bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("replyProgress")
        self._share: float | None = None
        column = parts.column(0, (0, 0, 0, 10))
        self._label = parts.label("", "meta", "dim", wrap=True)
        column.addWidget(self._label)
        self.setLayout(column)

    def show_progress(self, text: str, share: float | None) -> None:
        """A sentence, and how far it is (0 to 1, `None` when the end is not known)."""
        if (text, share) != (self._label.text(), self._share):
            self._label.setText(text)
            self.setAccessibleName(text)
            self._share = share
            self.update()

    def sizeHint(self) -> QSize:
        """One line and the bar."""
        return QSize(theme.px(320), theme.px(34))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the bar."""
        if self._share is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        width = min(320.0, float(self.width()))
        track = QRectF(0, self.height() - 6, width, 4)
        painter.setBrush(QColor(theme.current().free))
        painter.drawRoundedRect(track, 2, 2)
        done = max(4.0, width * min(1.0, self._share))
        painter.setBrush(QColor(theme.current().accent))
        painter.drawRoundedRect(QRectF(0, track.top(), done, 4), 2, 2)


class StateRow(QWidget):
    """Says in words that a reply was stopped, failed or was interrupted.

    Signals:
        continue_requested: Go on with the reply.
    """

    continue_requested = Signal()

    def __init__(self, text: str, mark: str, tone: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("replyState")
        self.setAccessibleName(text)
        line = parts.row(theme.SPACE.s)
        is_long = len(text) > _SHORT_CHARS
        self._level = Qt.AlignmentFlag.AlignTop if is_long else Qt.AlignmentFlag.AlignVCenter
        line.addWidget(_mark(mark, tone), 0, self._level)
        line.addWidget(parts.label(text, "meta", "dim", wrap=is_long), int(is_long))
        self._line = parts.row()
        line.addLayout(self._line)
        if not is_long:
            line.addStretch(1)
        self.setLayout(line)

    def offer_continue(self) -> None:
        """Show the link that goes on."""
        link = parts.button(self.tr("Continue"), "replyContinue", "link")
        link.clicked.connect(self.continue_requested)
        self._line.addWidget(link, 0, self._level)


def _mark(name: str, tone: str, size_px: int = 16) -> QLabel:
    mark = parts.label()
    mark.setPixmap(pixmap(name, tone, size_px, 2))
    return mark


class Card(QFrame):
    """A card in the transcript: mark, title, text, buttons, and details to unfold.

    Signals:
        action_requested: A button was pressed: the card's kind and the action's id.
        height_changed: Details were folded or unfolded.
    """

    action_requested = Signal(str, str)
    height_changed = Signal()

    def __init__(self, card: CardView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = card
        self.setObjectName(f"card_{card.kind}")
        self.setAccessibleName(f"{card.title}. {card.text}")
        self.is_centred = card.kind in ("first_run", "empty")
        self.setProperty("surface", "bg" if self.is_centred else "card")
        mark, tone = _MARKS[card.kind]
        size = 32 if self.is_centred else 20
        title = parts.label(card.title, "title", wrap=True)
        text = parts.label(card.text, "body", "dim", wrap=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._column = parts.column(theme.SPACE.s)
        self._column.addWidget(title)
        if card.text:
            self._column.addWidget(text)
        self._add_buttons()
        if self.is_centred:
            align = Qt.AlignmentFlag.AlignHCenter
            title.setAlignment(align)
            text.setAlignment(align)
            outer: QVBoxLayout = parts.column(theme.SPACE.m, (24, 16, 24, 16))
            outer.addWidget(_mark(mark, tone, size), 0, align)
            outer.addLayout(self._column)
            self.setLayout(outer)
        else:
            line = parts.row(theme.SPACE.m, (16, 14, 16, 14))
            line.addWidget(_mark(mark, tone, size), 0, Qt.AlignmentFlag.AlignTop)
            line.addLayout(self._column, 1)
            self.setLayout(line)

    def _add_buttons(self) -> None:
        line = FlowLayout(theme.SPACE.s, is_centred=self.is_centred)
        line.setContentsMargins(0, 6, 0, 0)
        for action in self.card.actions:
            button = parts.button(
                action.label, f"cardAction_{action.id}", "primary" if action.primary else ""
            )
            button.clicked.connect(lambda _=False, id_=action.id: self._report(id_))
            line.addWidget(button)
        self._detail: QPlainTextEdit | None = None
        if self.card.detail:
            self._unfold = parts.button(self.tr("Show details"), "cardDetails", "quiet")
            self._unfold.clicked.connect(self._on_unfold)
            line.addWidget(self._unfold)
        if self.card.actions or self.card.detail:
            self._column.addLayout(line)

    def _report(self, action: str) -> None:
        self.action_requested.emit(self.card.kind, action)

    def _on_unfold(self) -> None:
        if self._detail is None:
            self._detail = detail_box(self.card.detail, "cardDetail")
            self._detail.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._column.addWidget(self._detail)
            self._detail.show()
        else:
            self._detail.setVisible(self._detail.isHidden())
        shown = not self._detail.isHidden()
        self._unfold.setText(self.tr("Hide details") if shown else self.tr("Show details"))
        self.height_changed.emit()
