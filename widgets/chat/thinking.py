"""The fold over a reply's reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QToolButton, QWidget

from widgets import figures, parts, theme
from widgets.chat.body import Body

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from widgets.chat.typeset import Typesetter

HEAD_PX: Final = 26
_INDENT_PX: Final = 14
_GAP_PX: Final = 4


class ThinkingFold(QWidget):
    """Owned by a message view. The text is laid out only once it is unfolded.

    Signals:
        height_changed: It was folded, unfolded, or its text grew.
    """

    height_changed = Signal()

    def __init__(self, typesetter: Typesetter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("thinkingFold")
        self._typesetter = typesetter
        self._pieces: list[str] = []
        self._seconds: float | None = None
        self._is_open = False
        self.body: Body | None = None
        self._head = QToolButton(self)
        self._head.setProperty("kind", "quiet")
        self._head.setFont(theme.font("body"))
        self._head.setCursor(Qt.CursorShape.PointingHandCursor)
        self._head.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        parts.named(self._head, "thinkingToggle")
        self._head.clicked.connect(self._on_toggled)

    def set_text(self, text: str, seconds: float | None, *, is_open: bool) -> None:
        """Take the reasoning; `is_open` while it goes on."""
        self._seconds, self._is_open = seconds, is_open
        if text != "".join(self._pieces):
            self._pieces = [text]
            if self.body is not None:
                self.body.set_text(text, is_open=is_open)
        elif self.body is not None and not is_open:
            self.body.finish()
        self._say()

    def append(self, text: str) -> None:
        """Add to the reasoning."""
        self._pieces.append(text)
        if self.body is not None:
            self.body.append(text)
        self._say()

    def set_going_on(self, going_on: bool) -> None:
        """The reply itself has begun: the reasoning is over."""
        if going_on != self._is_open:
            self._is_open = going_on
            self._say()

    @property
    def is_unfolded(self) -> bool:
        """Whether the text is shown."""
        return self.body is not None and not self.body.isHidden()

    def unfold(self, unfolded: bool) -> None:
        """Show or hide the text."""
        if unfolded != self.is_unfolded:
            self._on_toggled()

    def _on_toggled(self) -> None:
        if self.body is None:
            self.body = Body(self._typesetter, self, tone="dim")
            self.body.setAccessibleName(self.tr("Reasoning"))
            self.body.set_text("".join(self._pieces), is_open=self._is_open)
            self.body.height_changed.connect(self.height_changed)
            self.body.show()
        else:
            self.body.setVisible(self.body.isHidden())
        self._say()
        self.height_changed.emit()

    def _say(self) -> None:
        arrow = "▾" if self.is_unfolded else "▸"
        if self._is_open:
            words = self.tr("Thinking …")
        elif self._seconds is None:
            words = self.tr("Thoughts")
        else:
            shown = figures.seconds(self._seconds) if self._seconds < 1 else _whole(self._seconds)
            words = self.tr("Thought for {seconds}").format(seconds=shown)
        text = f"{words} {arrow}"
        if text != self._head.text():
            self._head.setText(text)
            self._head.setAccessibleName(words)
            self._fit_head()

    def _fit_head(self) -> None:
        width = self._head.fontMetrics().horizontalAdvance(self._head.text()) + 18
        self._head.setGeometry(_INDENT_PX - 9, 0, width, theme.px(HEAD_PX))

    def restyle(self) -> None:
        """Take the colours and sizes in force."""
        self._fit_head()
        if self.body is not None:
            self.body.restyle()

    def place(self, width: int, top: float, bottom: float) -> int:
        """Lay out at a width what lies between two heights; returns the height."""
        if self.body is None or self.body.isHidden():
            return theme.px(HEAD_PX)
        inner = width - _INDENT_PX
        self.body.flow.set_width(float(inner))
        self.body.realise(top - theme.px(HEAD_PX), bottom - theme.px(HEAD_PX))
        height = round(self.body.flow.height)
        self.body.setGeometry(_INDENT_PX, theme.px(HEAD_PX) + _GAP_PX, inner, height)
        return theme.px(HEAD_PX) + _GAP_PX + height

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the line at the left."""
        QPainter(self).fillRect(0, 1, 2, self.height() - 2, QColor(theme.current().line))


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 99.5 else figures.seconds(seconds)
