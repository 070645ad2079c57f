"""The split between devices as one bar with a handle at each border, dragged or stepped."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import gcd
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter

from widgets import theme
from widgets.settings.knob_slider import KNOB_PX, TRACK_PX, KnobSlider

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent


def reduced(shares: tuple[int, ...]) -> tuple[int, ...]:
    """Shares without their common divisor: (8, 8) is (1, 1)."""
    divisor = gcd(*shares) if shares else 0
    return tuple(share // divisor for share in shares) if divisor else shares


class ShareSlider(KnobSlider):
    """Edits the shares of two or more devices as small whole numbers.

    The width is divided into `steps`; each border between devices is a handle. Left and right
    move the chosen handle, Page Up and Page Down choose another, Home divides evenly.

    Signals:
        moved: The new shares while dragging or stepping, reduced.
    """

    moved = Signal(tuple)

    def __init__(self, name: str) -> None:
        super().__init__(name, Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName(self.tr("Split between devices"))
        self._steps = 16
        self._borders = [8]
        self._handle = 0

    def set_shares(self, shares: tuple[int, ...], steps: int = 16) -> None:
        """Show a split without reporting it; ignored while a handle is held."""
        if self._held or len(shares) < 2:
            return
        self._steps = max(steps, len(shares))
        total = sum(shares) or len(shares)
        even = shares if sum(shares) else (1,) * len(shares)
        sums = list(accumulate(even))[:-1]
        self._borders = [round(part * self._steps / total) for part in sums]
        self._handle = min(self._handle, len(self._borders) - 1)
        self._describe()
        self.update()

    def shares(self) -> tuple[int, ...]:
        """The split as it stands, reduced."""
        edges = [0, *self._borders, self._steps]
        return reduced(tuple(b - a for a, b in pairwise(edges)))

    def sizeHint(self) -> QSize:
        """The size it would like."""
        return QSize(96, 24)

    def minimumSizeHint(self) -> QSize:
        """The least it can do with."""
        return QSize(56, 24)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the nearest handle."""
        if event.button() is Qt.MouseButton.LeftButton:
            x = event.position().x()
            self._handle = min(
                range(len(self._borders)), key=lambda at: abs(self._x(self._borders[at]) - x)
            )
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Work by keyboard."""
        at, key = self._handle, event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Down):
            self._place(self._borders[at] - 1)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Up):
            self._place(self._borders[at] + 1)
        elif key == Qt.Key.Key_PageUp:
            self._handle = (at + 1) % len(self._borders)
        elif key == Qt.Key.Key_PageDown:
            self._handle = (at - 1) % len(self._borders)
        elif key == Qt.Key.Key_Home:
            count = len(self._borders) + 1
            self.set_shares((1,) * count, self._steps)
            self.moved.emit(self.shares())
        else:
            super().keyPressEvent(event)
            return
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        edges = [0, *self._borders, self._steps]
        painter.setPen(Qt.PenStyle.NoPen)
        for at, (left, right) in enumerate(pairwise(edges)):
            painter.setBrush(theme.color("accent" if at % 2 == 0 else "weights"))
            if not self.isEnabled():
                painter.setBrush(theme.color("free"))
            painter.drawRoundedRect(
                QRectF(
                    self._x(left), middle - TRACK_PX / 2, self._x(right) - self._x(left), TRACK_PX
                ),
                2,
                2,
            )
        if not self.isEnabled():
            return
        for at, border in enumerate(self._borders):
            chosen = self.hasFocus() and at == self._handle
            ink = theme.color("text" if chosen else "accent")
            self._draw_knob(painter, self._x(border), ink)

    def _x(self, step: int) -> float:
        return KNOB_PX + (self.width() - 2 * KNOB_PX) * step / self._steps

    def _move_to(self, x: float) -> None:
        room = max(1, self.width() - 2 * KNOB_PX)
        self._place(round((x - KNOB_PX) * self._steps / room))

    def _place(self, step: int) -> None:
        edges = [0, *self._borders, self._steps]
        low, high = edges[self._handle] + 1, edges[self._handle + 2] - 1
        placed = max(low, min(high, step))
        if placed != self._borders[self._handle]:
            self._borders[self._handle] = placed
            self._describe()
            self.moved.emit(self.shares())
        self.update()

    def _describe(self) -> None:
        words = " : ".join(str(share) for share in self.shares())
        tip = self.tr("Split {shares}. Arrow keys move, Home divides evenly.")
        self.setToolTip(tip.format(shares=words))
        self.setAccessibleDescription(words)
