"""Draws the memory of a device as a bar, and how busy it has been as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen

from widgets import theme

if TYPE_CHECKING:
    from widgets.engine_pane.viewdata import DeviceView

Part = tuple[str, str, int]


def parts_of(device: DeviceView) -> list[Part]:
    """What fills the bar from the left: (token, word, bytes). Unknown parts are left out."""
    described = (
        ("weights", "weights", device.weights_bytes),
        ("weights", "vision projector", device.projector_bytes),
        ("kv", "KV cache", device.kv_bytes),
        ("compute", "compute", device.compute_bytes),
        ("other", "runtime", device.runtime_bytes),
        ("other", "other programs", device.other_bytes),
    )
    return [(token, word, size) for token, word, size in described if size]


def paint_bar(painter: QPainter, area: QRectF, device: DeviceView) -> None:
    """Draw the bar of a device into an area: parts, the overflow hatched, and the limit."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    clip = QPainterPath()
    clip.addRoundedRect(area, theme.RADIUS.bar, theme.RADIUS.bar)
    painter.setClipPath(clip)
    painter.fillRect(area, theme.color("free"))
    total = device.total_bytes
    if not total or device.is_lost or device.planned_bytes is None:
        painter.fillRect(area, QBrush(theme.color("line"), Qt.BrushStyle.BDiagPattern))
        painter.restore()
        return
    x = area.left()
    for token, _word, size in parts_of(device):
        width = area.width() * size / total
        painter.fillRect(QRectF(x, area.top(), width, area.height()), theme.color(token))
        x += width
    if device.short_bytes:
        _paint_overflow(painter, area, device, total)
    if device.limit_bytes is not None:
        at = area.left() + area.width() * min(1.0, device.limit_bytes / total)
        painter.fillRect(QRectF(at - 1, area.top(), 1.6, area.height()), theme.color("dim"))
    painter.restore()


def _paint_overflow(painter: QPainter, area: QRectF, device: DeviceView, total: int) -> None:
    limit = device.limit_bytes if device.limit_bytes is not None else total
    over = max(device.short_bytes / total, 0.1)
    left = area.left() + area.width() * max(0.0, min(limit / total, 1.0 - over))
    zone = QRectF(left, area.top(), area.right() - left, area.height())
    painter.fillRect(zone, theme.color("bad"))
    painter.setPen(QPen(QColor(theme.current().card), 2.4))
    x = zone.left() - zone.height()
    while x < zone.right():
        painter.drawLine(
            QPointF(x, zone.bottom() + 2), QPointF(x + zone.height() + 4, zone.top() - 2)
        )
        x += 8
    painter.setPen(Qt.PenStyle.NoPen)


def paint_spark(painter: QPainter, area: QRectF, values: tuple[float | None, ...]) -> None:
    """A line of percentages; a gap stays a gap."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.color("line"), 1))
    painter.drawLine(area.bottomLeft(), area.bottomRight())
    painter.setPen(QPen(theme.color("accent"), 1.2))
    step = area.width() / (len(values) - 1)
    last: QPointF | None = None
    for index, value in enumerate(values):
        if value is None or value != value:
            last = None
            continue
        share = max(0.0, min(1.0, value / 100))
        point = QPointF(area.left() + index * step, area.bottom() - share * area.height())
        if last is not None:
            painter.drawLine(last, point)
        last = point
    painter.restore()
