"""A slider over powers of two with a tick at a limit: for context lengths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter

from widgets import theme
from widgets.figures import whole
from widgets.settings.knob_slider import KNOB_PX, TRACK_PX, KnobSlider

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPaintEvent

_STOPS_PER_DOUBLING: Final = 4


class LogSlider(KnobSlider):
    """Chooses a number of tokens on a logarithmic scale, in multiples of 256.

    Signals:
        moved: The new value while dragging or stepping.
    """

    moved = Signal(int)

    def __init__(self, name: str, accessible: str) -> None:
        super().__init__(name, Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(accessible)
        self._low, self._high, self._grain = 512, 131_072, 256
        self._value = 8192
        self._tick: int | None = None

    def set_range(self, low: int, high: int) -> None:
        """The ends of the track."""
        self._low, self._high = max(self._grain, low), max(low * 2, high)
        self.update()

    def set_tick(self, value: int | None, words: str = "") -> None:
        """Mark a limit on the track: the largest context that fits."""
        self._tick = value
        self.setToolTip(words)
        self.update()

    def set_value(self, value: int) -> None:
        """Show a value without reporting it; ignored while the knob is held."""
        if not self._held:
            self._value = value
            self._describe()

    def value(self) -> int:
        """What is chosen."""
        return self._value

    def sizeHint(self) -> QSize:
        """The size it would like."""
        return QSize(120, 24)

    def minimumSizeHint(self) -> QSize:
        """The least it can do with."""
        return QSize(48, 24)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Work by keyboard."""
        key = event.key()
        if key in (Qt.Key.Key_Right, Qt.Key.Key_Up):
            step = self._value * (2 ** (1 / _STOPS_PER_DOUBLING) - 1)
            self._choose(self._value + max(step, self._grain))
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Down):
            step = self._value * (1 - 2 ** (-1 / _STOPS_PER_DOUBLING))
            self._choose(self._value - max(step, self._grain))
        elif key == Qt.Key.Key_PageUp:
            self._choose(self._value * 2)
        elif key == Qt.Key.Key_PageDown:
            self._choose(self._value / 2)
        elif key == Qt.Key.Key_Home:
            self._choose(self._low)
        elif key == Qt.Key.Key_End:
            self._choose(self._tick or self._high)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, right = self.height() / 2, self.width() - KNOB_PX
        knob = self._x(self._value)
        over = self._tick is not None and self._value > self._tick
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("free"))
        top = middle - TRACK_PX / 2
        painter.drawRoundedRect(QRectF(KNOB_PX, top, right - KNOB_PX, TRACK_PX), 2, 2)
        live = "bad" if over else "accent"
        if self.isEnabled():
            painter.setBrush(theme.color(live))
            painter.drawRoundedRect(QRectF(KNOB_PX, top, knob - KNOB_PX, TRACK_PX), 2, 2)
        if self._tick is not None:
            painter.setBrush(theme.color("dim"))
            painter.drawRect(QRectF(self._x(self._tick) - 0.8, middle - 6, 1.6, 12))
        if self.isEnabled():
            self._draw_knob(painter, knob, theme.color("text" if self.hasFocus() else live))

    def _x(self, value: int) -> float:
        bounded = max(self._low, min(self._high, value))
        share = math.log2(bounded / self._low) / math.log2(self._high / self._low)
        return KNOB_PX + (self.width() - 2 * KNOB_PX) * share

    def _move_to(self, x: float) -> None:
        room = max(1, self.width() - 2 * KNOB_PX)
        share = max(0.0, min(1.0, (x - KNOB_PX) / room))
        self._choose(self._low * (self._high / self._low) ** share)

    def _choose(self, wanted: float) -> None:
        value = round(wanted / self._grain) * self._grain
        # A pull of a few pixels towards the limit and towards whole powers of two.
        for stop in (self._tick, 2 ** round(math.log2(max(1.0, wanted)))):
            if stop is not None and self._held and abs(self._x(stop) - self._x(value)) <= 3:
                value = stop
                break
        value = max(self._low, min(self._high, value))
        if value != self._value:
            self._value = value
            self._describe()
            self.moved.emit(value)

    def _describe(self) -> None:
        self.setAccessibleDescription(whole(self._value))
        self.update()
