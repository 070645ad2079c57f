"""The context ledger: what fills the window, what of it is to be read, and what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets import figures, theme
from widgets.chat.plaintext import neutralised
from widgets.chat.viewdata import LedgerView, SegmentView

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from widgets.chat.viewdata import SegmentKind

BAR_PX: Final = 10
_HEIGHT_PX: Final = 36
_SWATCH_PX: Final = 7
_WARN_SHARE: Final = 0.65
_BAD_SHARE: Final = 0.85
_COLOR: Final[dict[SegmentKind, str]] = {
    "system": "other",
    "document": "weights",
    "chat": "kv",
    "message": "compute",
    "reply_reserve": "other",
    "free": "free",
}


def compact(tokens: int) -> str:
    """Tokens as the ledger writes them: 46, 2.0k, 17.6k, 131k."""
    if 1000 <= tokens < 99_950:
        return f"{tokens / 1000:.1f}k"
    return figures.thousands(tokens)


class Ledger(QWidget):
    """Owned by `ChatView`; paints one bar and one line.

    Signals:
        segment_clicked: Kind and label of a part that was pressed.
    """

    segment_clicked = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = LedgerView()
        self._selected = -1
        self.setObjectName("contextLedger")
        self.setFixedHeight(_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Context window"))
        theme.signals().changed.connect(self.update)

    def set_view(self, view: LedgerView) -> None:
        """Show other figures."""
        if view != self._view:
            self._view = view
            self._selected = min(self._selected, len(self._shown()) - 1)
            self.setAccessibleDescription(self.spoken())
            self.update()

    def spoken(self) -> str:
        """Everything the bar says, as one text."""
        if not self._view.n_ctx:
            return self.tr("No model is loaded.")
        lines = [self.segment_text(segment) for segment in self._shown()]
        return "; ".join([self.status_text(), *lines])

    def segment_text(self, segment: SegmentView) -> str:
        """One part, exact."""
        name = self._name(segment)
        tokens = figures.whole(segment.tokens)
        if segment.kind == "free":
            return self.tr("{tokens} tokens free").format(tokens=tokens)
        if segment.kind == "reply_reserve":
            text = self.tr("{tokens} tokens kept free for the reply")
            return text.format(tokens=tokens)
        to_read = segment.tokens - segment.cached
        if not to_read:
            text = self.tr("{name}: {tokens} tokens, all in the KV cache")
            return text.format(name=name, tokens=tokens)
        text = self.tr("{name}: {tokens} tokens, {cached} in the KV cache, {read} to be read")
        return text.format(
            name=name,
            tokens=tokens,
            cached=figures.whole(segment.cached),
            read=figures.whole(to_read),
        )

    def status_text(self) -> str:
        """The line at the right: how full, and how long until the first token."""
        view = self._view
        about = "≈ " if view.estimated else ""
        text = self.tr("{used} of {size}").format(
            used=about + compact(view.used), size=figures.whole(view.n_ctx)
        )
        if self._share() >= _WARN_SHARE:
            text += self.tr(" · {percent} % full").format(percent=round(100 * self._share()))
        if view.seconds_to_first_token is not None:
            wait = figures.seconds(view.seconds_to_first_token)
            text += self.tr(" · first token ≈ {wait}").format(wait=wait)
        return text

    def tone(self) -> str:
        """Token of the status line's colour; the percentage beside it says the same."""
        if self._share() >= _BAD_SHARE:
            return "bad"
        return "warn" if self._share() >= _WARN_SHARE else "dim"

    def _share(self) -> float:
        return self._view.used / self._view.n_ctx if self._view.n_ctx else 0.0

    def _shown(self) -> list[SegmentView]:
        return [segment for segment in self._view.segments if segment.tokens > 0]

    def _name(self, segment: SegmentView) -> str:
        fixed = {
            "system": self.tr("system"),
            "chat": self.tr("chat"),
            "message": self.tr("message"),
            "reply_reserve": self.tr("reply"),
            "free": self.tr("free"),
        }
        return neutralised(segment.label) or fixed.get(segment.kind, self.tr("document"))

    # Painting

    def _spans(self) -> list[tuple[SegmentView, QRectF]]:
        shown = self._shown()
        total = max(self._view.n_ctx, sum(segment.tokens for segment in shown), 1)
        spans: list[tuple[SegmentView, QRectF]] = []
        x, width = 0.0, float(self.width())
        for segment in shown:
            size = segment.tokens / total * width
            if segment.kind != "free":
                size = max(size, 3.0)
            spans.append((segment, QRectF(x, 0, min(size, width - x), BAR_PX)))
            x += size
        return spans

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the bar and the line under it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QPainterPath()
        bar.addRoundedRect(QRectF(0, 0, self.width(), BAR_PX), theme.RADIUS.bar, theme.RADIUS.bar)
        painter.setClipPath(bar)
        painter.fillPath(bar, theme.color("free"))
        for index, (segment, rect) in enumerate(self._spans()):
            self._paint_segment(painter, segment, rect)
            if index:
                painter.fillRect(QRectF(rect.left() - 0.5, 0, 1, BAR_PX), theme.color("bg"))
        painter.setClipping(False)
        self._paint_focus(painter)
        self._paint_line(painter)

    def _paint_segment(self, painter: QPainter, segment: SegmentView, rect: QRectF) -> None:
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

    def _paint_focus(self, painter: QPainter) -> None:
        if not self.hasFocus():
            return
        spans = self._spans()
        target = QRectF(0, 0, self.width(), BAR_PX)
        if 0 <= self._selected < len(spans):
            target = spans[self._selected][1]
        painter.setPen(QPen(theme.color("text"), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(target.adjusted(0.75, 0.75, -0.75, -0.75), 3, 3)

    def _paint_line(self, painter: QPainter) -> None:
        font = theme.font("meta")
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        line = QRectF(2, BAR_PX + 5, self.width() - 4, 20)
        if not self._view.n_ctx:
            painter.setPen(theme.color("dim"))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, self.tr("No model is loaded"))
            return
        status = self.status_text()
        if self.tone() != "dim":
            status = f"▲ {status}"
        painter.setPen(theme.color(self.tone()))
        align = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, align | Qt.AlignmentFlag.AlignRight, status)
        room = line.width() - metrics.horizontalAdvance(status) - 24
        self._paint_legend(painter, metrics, line.top(), room)

    def _paint_legend(
        self, painter: QPainter, metrics: QFontMetricsF, top: float, room: float
    ) -> None:
        x = 2.0
        for segment, text in self._legend(metrics, room):
            swatch = QRectF(x, top + 7, _SWATCH_PX, _SWATCH_PX)
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
            painter.drawText(QPointF(x + _SWATCH_PX + 5, top + 14), text)
            x += _SWATCH_PX + 5 + metrics.horizontalAdvance(text) + 12

    def _legend(self, metrics: QFontMetricsF, room: float) -> list[tuple[SegmentView, str]]:
        """As many parts as there is room for; the largest stay."""
        entries: list[tuple[SegmentView, str, float]] = []
        for segment in self._shown():
            longest = Qt.TextElideMode.ElideMiddle
            name = metrics.elidedText(self._name(segment), longest, 130)
            text = f"{name} {compact(segment.tokens)}"
            entries.append((segment, text, metrics.horizontalAdvance(text) + _SWATCH_PX + 17))
        while entries and sum(width for *_, width in entries) > room:
            smallest = min(entries, key=_worth)
            entries.remove(smallest)
        return [(segment, text) for segment, text, _ in entries]

    # Pointer and keyboard

    def segment_at(self, x: float, y: float) -> SegmentView | None:
        """The part under a point of the bar."""
        for segment, rect in self._spans():
            if rect.left() <= x < rect.right() and y <= BAR_PX + 3:
                return segment
        return None

    def event(self, event: QEvent) -> bool:
        """Exact values in the tooltip."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            segment = self.segment_at(event.pos().x(), event.pos().y())
            text = self.segment_text(segment) if segment else self._whole_tip()
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def _whole_tip(self) -> str:
        return "\n".join(self.spoken().split("; "))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Report the part that was pressed."""
        segment = self.segment_at(event.position().x(), event.position().y())
        if segment is not None:
            self.segment_clicked.emit(segment.kind, segment.label)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right walk through the parts, Enter reports one."""
        shown = self._shown()
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if step and shown:
            self._selected = min(max(0, self._selected + step), len(shown) - 1)
            text = self.segment_text(shown[self._selected])
            self.setAccessibleDescription(text)
            rect = self._spans()[self._selected][1]
            QToolTip.showText(self.mapToGlobal(rect.bottomLeft().toPoint()), text, self)
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._selected >= 0:
            segment = shown[self._selected]
            self.segment_clicked.emit(segment.kind, segment.label)
        else:
            event.ignore()

    def sizeHint(self) -> QSize:
        """As wide as it gets."""
        return QSize(420, _HEIGHT_PX)


def _worth(entry: tuple[SegmentView, str, float]) -> tuple[bool, bool, int]:
    """What goes first where the legend has no room: the system prompt, then what is small."""
    kind = entry[0].kind
    return (kind == "free", kind != "system", entry[0].tokens)


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
