"""How the parts of the context look: colours, the bar's pieces and the legend under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen

from widgets import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QFontMetricsF

    from widgets.chat.viewdata import SegmentKind, SegmentView

BAR_PX: Final = 10
_SWATCH_PX: Final = 7
_COLOR: Final[dict[SegmentKind, str]] = {
    "system": "other",
    "document": "weights",
    "chat": "kv",
    "message": "compute",
    "reply_reserve": "other",
    "free": "free",
}


def paint_segment(painter: QPainter, segment: SegmentView, rect: QRectF) -> None:
    """One part of the bar; what is to be read has a lighter core."""
    if segment.kind == "free":
        return
    color = theme.color(_COLOR[segment.kind])
    if segment.kind == "reply_reserve":
        hatch(painter, rect, color)
        return
    cached = rect.width() * min(1.0, segment.cached / segment.tokens)
    painter.fillRect(QRectF(rect.left(), 0, cached, BAR_PX), color)
    fresh = QRectF(rect.left() + cached, 0, rect.width() - cached, BAR_PX)
    if fresh.width() > 0.5:
        painter.fillRect(fresh, color)
        if fresh.width() > 8:
            veil = theme.color("bg")
            veil.setAlphaF(0.42)
            painter.fillRect(fresh.adjusted(0, 3, 0, -3), veil)


def paint_legend(
    painter: QPainter,
    metrics: QFontMetricsF,
    top: float,
    room: float,
    entries: Sequence[tuple[SegmentView, str]],
) -> None:
    """Swatches and texts from the left: as many as there is room for; the largest stay."""
    widths = [metrics.horizontalAdvance(text) + _SWATCH_PX + 17 for _, text in entries]
    kept = list(range(len(entries)))
    while kept and sum(widths[at] for at in kept) > room:
        kept.remove(min(kept, key=lambda at: _worth(entries[at][0])))
    x = 2.0
    for at in kept:
        segment, text = entries[at]
        swatch = QRectF(x, top + theme.px(10) - 3, _SWATCH_PX, _SWATCH_PX)
        color = theme.color(_COLOR[segment.kind])
        if segment.kind == "reply_reserve":
            hatch(painter, swatch, color)
        else:
            path = QPainterPath()
            path.addRoundedRect(swatch, 2, 2)
            painter.fillPath(path, QBrush(color))
            if segment.kind == "free":
                painter.setPen(QPen(theme.color("other"), 1))
                painter.drawPath(path)
        painter.setPen(theme.color("dim"))
        painter.drawText(QPointF(x + _SWATCH_PX + 5, top + theme.px(14)), text)
        x += widths[at]


def _worth(segment: SegmentView) -> tuple[bool, bool, int]:
    """What goes first where the legend has no room: the system prompt, then what is small."""
    return (segment.kind == "free", segment.kind != "system", segment.tokens)


def hatch(painter: QPainter, rect: QRectF, color: QColor) -> None:
    """Diagonal stripes: reserved, not taken."""
    painter.save()
    painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(color, 2.2))
    x = rect.left() - rect.height()
    while x < rect.right():
        painter.drawLine(
            QPointF(x, rect.bottom() + 1), QPointF(x + rect.height() + 2, rect.top() - 1)
        )
        x += 6
    painter.restore()
