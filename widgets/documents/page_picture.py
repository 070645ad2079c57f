"""A page as it looks, as wide as there is room, with passages marked as by a highlighter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QScrollArea, QWidget

from widgets import parts, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent, QResizeEvent

# Paper is white in both themes; so are these inks.
_CURRENT: Final = QColor("#ffd95c")
_OTHER: Final = QColor("#fff0bf")
_ROOM_ABOVE_PX: Final = 80


class PagePicture(QScrollArea):
    """Scrolls when the page is taller than the room. Main thread."""

    def __init__(self) -> None:
        super().__init__()
        parts.named(self, "pageScroll", self.tr("The page as it looks"))
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.sheet = _Sheet()
        parts.named(self.sheet, "pagePicture", self.tr("The page as it looks"))
        self.setWidget(self.sheet)
        self._current = -1

    def set_waiting(self) -> None:
        """The picture of another page is on its way; the last one stays until it comes."""
        self.sheet.set_boxes((), -1)

    def set_picture(
        self, image: QImage, boxes: tuple[tuple[QRectF, ...], ...], current: int
    ) -> None:
        """Show a page, scrolled to the marked passage."""
        self.sheet.set_image(image)
        self._fit()
        self.verticalScrollBar().setValue(0)
        self.set_boxes(boxes, current)

    def set_boxes(self, boxes: tuple[tuple[QRectF, ...], ...], current: int) -> None:
        """Mark other passages on the same page."""
        self.sheet.set_boxes(boxes, current)
        marked = boxes[current] if 0 <= current < len(boxes) else ()
        if marked:
            top = round(marked[0].top() * self.sheet.height())
            bottom = round(marked[-1].bottom() * self.sheet.height())
            seen = self.verticalScrollBar().value()
            if not seen <= top <= bottom <= seen + self.viewport().height():
                self.verticalScrollBar().setValue(max(0, top - _ROOM_ABOVE_PX))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the page as wide as there is room for it."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.sheet.fit(max(120, self.viewport().width() - theme.SPACE.s))


class _Sheet(QWidget):
    """The paper itself."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._scaled = QPixmap()
        self._boxes: tuple[tuple[QRectF, ...], ...] = ()
        self._current = -1

    def pixmap(self) -> QPixmap:
        """What is painted; null while there is nothing."""
        return self._scaled

    def boxes(self) -> tuple[tuple[QRectF, ...], ...]:
        """What is marked, in shares of the page."""
        return self._boxes

    def set_image(self, image: QImage) -> None:
        """Take another page."""
        self._image, self._scaled = image, QPixmap()

    def set_boxes(self, boxes: tuple[tuple[QRectF, ...], ...], current: int) -> None:
        """Mark passages."""
        self._boxes, self._current = boxes, current
        self.update()

    def fit(self, width_px: int) -> None:
        """Be as wide as this."""
        if self._image.isNull():
            self.resize(QSize(width_px, 1))
            return
        ratio = self.devicePixelRatioF()
        if self._scaled.width() != round(width_px * ratio):
            self._scaled = QPixmap.fromImage(self._image).scaledToWidth(
                round(width_px * ratio), Qt.TransformationMode.SmoothTransformation
            )
            self._scaled.setDevicePixelRatio(ratio)
        self.resize(QSize(width_px, round(self._scaled.height() / ratio)))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the page, and the marks so that the letters show through."""
        if self._scaled.isNull():
            return
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._scaled)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        for index, lines in enumerate(self._boxes):
            painter.setBrush(_CURRENT if index == self._current else _OTHER)
            for line in lines:
                painter.drawRoundedRect(self._placed(line), 2, 2)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        painter.setPen(QPen(theme.color("line"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _placed(self, line: QRectF) -> QRectF:
        """A line's box in pixels, a little larger than its letters."""
        width, height = self.width(), self.height()
        box = QRectF(
            line.x() * width, line.y() * height, line.width() * width, line.height() * height
        )
        room = 0.18 * box.height()
        return box.adjusted(-2, -room, 2, room)
