"""The legend of the memory bars: a colour and a word for each kind, wrapped to the width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

_LINE_PX = 17
_MARK_PX = 8
_WORD_AT_PX = _MARK_PX + 5


class Legend(QWidget):
    """Paints the kinds of memory in the order of the bars. Main thread; emits nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._items = (
            ("weights", self.tr("weights")),
            ("kv", self.tr("KV cache")),
            ("compute", self.tr("compute")),
            ("other", self.tr("other")),
            ("free", self.tr("free")),
        )
        self.setFont(theme.font("label"))
        self.setAccessibleName(self.tr("Legend: ") + ", ".join(word for _, word in self._items))
        # The words stand in one line of a pane as wide as it is at first; this would not.
        self.setToolTip(self.tr("other: llama.cpp's own runtime, and other programs"))
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        """Its height depends on its width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """The height it needs at a width."""
        return (self._placed(width)[-1][1] + 1) * theme.px(_LINE_PX)

    def sizeHint(self) -> QSize:
        """The size it would like."""
        return QSize(260, self.heightForWidth(260))

    def minimumSizeHint(self) -> QSize:
        """The least it can do with."""
        return QSize(80, theme.px(_LINE_PX))

    def _placed(self, width: int) -> list[tuple[int, int]]:
        metrics = self.fontMetrics()
        x, line, placed = 0, 0, []
        for _token, word in self._items:
            needed = _WORD_AT_PX + metrics.horizontalAdvance(word)
            if x and x + needed > width:
                x, line = 0, line + 1
            placed.append((x, line))
            x += needed + theme.SPACE.m
        return placed

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (token, word), (x, line) in zip(self._items, self._placed(self.width()), strict=True):
            middle = line * theme.px(_LINE_PX) + theme.px(_LINE_PX) / 2
            painter.setPen(theme.color("line") if token == "free" else Qt.PenStyle.NoPen)
            painter.setBrush(theme.color(token))
            painter.drawRoundedRect(QRectF(x, middle - _MARK_PX / 2, _MARK_PX, _MARK_PX), 2, 2)
            painter.setPen(theme.color("dim"))
            painter.drawText(
                QRectF(
                    x + _WORD_AT_PX, line * theme.px(_LINE_PX), self.width(), theme.px(_LINE_PX)
                ),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                word,
            )
