"""The paper of a page: its picture at any size, and marks so that the letters show through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QWidget

from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QMouseEvent, QPaintEvent

Boxes = tuple[tuple[QRectF, ...], ...]

# Paper is white in both themes; so are these inks.
_CURRENT: Final = QColor("#ffd95c")
_OTHER: Final = QColor("#fff0bf")


class Sheet(QWidget):
    """Paints a picture that has its size pixel by pixel, and stretches any other. Main thread.

    Signals:
        dragged: It was pulled by this much.
    """

    dragged = Signal(QPoint)

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._boxes: Boxes = ()
        self._current = -1
        self._held_at: QPoint | None = None
        self._can_be_pulled = False

    def image(self) -> QImage:
        """The picture; null while there is none."""
        return self._image

    def boxes(self) -> Boxes:
        """What is marked, in shares of the page."""
        return self._boxes

    def set_image(self, image: QImage) -> None:
        """Take another picture; `fit` gives it its size."""
        self._image = image
        self.update()

    def set_boxes(self, boxes: Boxes, current: int) -> None:
        """Mark passages."""
        self._boxes, self._current = boxes, current
        self.update()

    def fit(self, width_px: int) -> None:
        """Be as wide as this, in the window's own pixels."""
        height = 1
        if not self._image.isNull():
            height = round(width_px * self._image.height() / self._image.width())
        self.resize(QSize(width_px, height))

    def set_can_be_pulled(self, can: bool) -> None:
        """Whether there is more of it than can be seen: the hand says so."""
        self._can_be_pulled = can
        if can:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.unsetCursor()

    def placed(self, line: QRectF) -> QRectF:
        """A line's box in pixels, a little larger than its letters."""
        width, height = self.width(), self.height()
        box = QRectF(
            line.x() * width, line.y() * height, line.width() * width, line.height() * height
        )
        room = 0.18 * box.height()
        return box.adjusted(-2, -room, 2, room)

    # ---- pulling

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the paper."""
        if event.button() == Qt.MouseButton.LeftButton and self._can_be_pulled:
            self._held_at = event.globalPosition().toPoint()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pull it."""
        if self._held_at is not None:
            at = event.globalPosition().toPoint()
            self.dragged.emit(at - self._held_at)
            self._held_at = at

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        if self._held_at is not None:
            self._held_at = None
            self.set_can_be_pulled(self._can_be_pulled)
        super().mouseReleaseEvent(event)

    # ---- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the page, and the marks over it."""
        if self._image.isNull():
            return
        painter = QPainter(self)
        self._paint_page(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        for index, lines in enumerate(self._boxes):
            painter.setBrush(_CURRENT if index == self._current else _OTHER)
            for line in lines:
                painter.drawRoundedRect(self.placed(line), 2, 2)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        painter.setPen(QPen(theme.color("line"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_page(self, painter: QPainter) -> None:
        ratio = self.devicePixelRatioF()
        is_exact = self._image.width() == round(self.width() * ratio)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not is_exact)
        size = QRectF(self.rect())
        if is_exact:
            size = QRectF(0, 0, self._image.width() / ratio, self._image.height() / ratio)
        painter.drawImage(size, self._image)
