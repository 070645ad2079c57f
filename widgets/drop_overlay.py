"""What is seen over a page while files are dragged onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from widgets import icons, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent


class DropOverlay(QWidget):
    """Covers its parent; takes no events.

    Args:
        one: What dropping one file does.
        several: The same for ``{count}`` files.
    """

    def __init__(self, parent: QWidget, one: str, several: str) -> None:
        super().__init__(parent)
        self._one, self._several = one, several
        self.setObjectName("dropOverlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._count = 0
        self.hide()

    def show_count(self, count: int) -> None:
        """Show it for a number of files."""
        self._count = count
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint a veil, a dashed frame and what will happen."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), theme.color("bg", 0.88))
        frame = QRectF(self.rect()).adjusted(16, 16, -16, -16)
        painter.setPen(QPen(theme.color("accent"), 2, Qt.PenStyle.DashLine))
        painter.setBrush(theme.color("accent_soft", 0.5))
        painter.drawRoundedRect(frame, theme.RADIUS.composer, theme.RADIUS.composer)
        middle = frame.center()
        painter.drawPixmap(
            round(middle.x() - 16),
            round(middle.y() - 48),
            icons.pixmap("document", "accent", 32, self.devicePixelRatioF()),
        )
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font("title"))
        text = self._one if self._count == 1 else self._several.format(count=self._count)
        painter.drawText(frame.adjusted(0, 12, 0, 12), Qt.AlignmentFlag.AlignCenter, text)
        painter.setPen(theme.color("dim"))
        painter.setFont(theme.font("meta"))
        painter.drawText(
            QRectF(frame.left() + 8, middle.y() + 36, frame.width() - 16, 60),
            int(Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap),
            self.tr("Read on this computer, sent nowhere"),
        )
