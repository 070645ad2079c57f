"""What the sliders of the settings have in common: a track, and a knob that is dragged along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QFocusEvent, QMouseEvent, QPainter

KNOB_PX: Final = 7
TRACK_PX: Final = 4


class KnobSlider(QWidget):
    """Is held and let go, follows the pointer, and shows the focus. Main thread."""

    def __init__(self, name: str, cursor: Qt.CursorShape) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(cursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._held = False

    def _move_to(self, x: float) -> None:
        """Put the knob where the pointer is."""
        raise NotImplementedError

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._held = True
            self._move_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        if self._held:
            self._move_to(event.position().x())

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        self._held = False
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the focus ring away."""
        super().focusOutEvent(event)
        self.update()

    def _draw_knob(self, painter: QPainter, x: float, ink: QColor) -> None:
        painter.setPen(QPen(ink, 2))
        painter.setBrush(theme.color("card"))
        painter.drawEllipse(QPointF(x, self.height() / 2), KNOB_PX - 1, KNOB_PX - 1)
