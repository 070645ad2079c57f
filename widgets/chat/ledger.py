"""The context ledger: what fills the window, what of it is to be read, and what is free."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
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
from widgets.chat.ledger_painting import BAR_PX, paint_legend, paint_segment
from widgets.chat.plaintext import neutralised
from widgets.chat.viewdata import LedgerView, SegmentView

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from widgets.chat.choice_menu import ChoiceMenu

_HEIGHT_PX: Final = 36
# Less is written as 0.0 s.
_AT_ONCE_S: Final = 0.05
_WARN_SHARE: Final = 0.65
_BAD_SHARE: Final = 0.85
_OPENING: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_Menu)


def compact(tokens: int) -> str:
    """Tokens as the ledger writes them: 46, 2.0k, 17.6k, 131k."""
    if 1000 <= tokens < 99_950:
        return f"{tokens / 1000:.1f}k"
    return figures.thousands(tokens)


class Ledger(QWidget):
    """Owned by `ChatView`; paints one bar and one line.

    Signals:
        choice_requested: Id of a part (a document's, else its kind) and of what was chosen for it.
    """

    choice_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = LedgerView()
        self._selected = -1
        self.setObjectName("contextLedger")
        theme.size(self, "FixedHeight", _HEIGHT_PX)
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
        return "; ".join(filter(None, [self.status_text(), self.reading_text(), *lines]))

    def _reason(self, segment: SegmentView) -> str:
        """Why a part is read again; that of the first part that is not all cached."""
        unread = (part for part in self._shown() if part.is_prompt and part.cached < part.tokens)
        return self._view.read_reason if segment is next(unread, None) else ""

    def segment_text(self, segment: SegmentView) -> str:
        """One part, exact."""
        return "\n".join(filter(None, (self._counts(segment), self._reason(segment), segment.note)))

    def _counts(self, segment: SegmentView) -> str:
        name = self._name(segment)
        tokens = figures.whole(segment.tokens)
        if segment.kind == "free":
            return self.tr("{tokens} tokens free").format(tokens=tokens)
        if segment.kind == "reply_reserve":
            text = self.tr("{tokens} tokens kept free for the reply")
            return text.format(tokens=tokens)
        to_read = segment.tokens - segment.cached
        text = self.tr("{name}: {tokens} tokens, {cached} in the KV cache, {read} to be read")
        if not to_read:
            text = self.tr("{name}: {tokens} tokens, all in the KV cache")
        return text.format(
            name=name,
            tokens=tokens,
            cached=figures.whole(segment.cached),
            read=figures.whole(to_read),
        )

    def reading_text(self) -> str:
        """How much is to be read and how fast that goes here; empty while unknown."""
        view = self._view
        if view.tokens_per_second is None:
            return ""
        to_read = sum(part.tokens - part.cached for part in view.segments if part.is_prompt)
        return self.tr("{tokens} tokens to be read, at {rate} on this computer").format(
            tokens=figures.whole(to_read), rate=figures.rate(view.tokens_per_second)
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
            if view.seconds_to_first_token < _AT_ONCE_S:
                text += self.tr(" · first token at once")
            else:
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
            paint_segment(painter, segment, rect)
            if index:
                painter.fillRect(QRectF(rect.left() - 0.5, 0, 1, BAR_PX), theme.color("bg"))
        painter.setClipping(False)
        self._paint_focus(painter)
        self._paint_line(painter)

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
        line = QRectF(2, BAR_PX + 5, self.width() - 4, theme.px(20))
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
        paint_legend(painter, metrics, line.top(), room, self._legend(metrics))

    def _legend(self, metrics: QFontMetricsF) -> list[tuple[SegmentView, str]]:
        middle, room = Qt.TextElideMode.ElideMiddle, theme.px(130)
        return [
            (
                part,
                f"{metrics.elidedText(self._name(part), middle, room)} {compact(part.tokens)}",
            )
            for part in self._shown()
        ]

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
        """Offer what can be done about the part that was pressed."""
        where = event.position()
        for index, (_, rect) in enumerate(self._spans()):
            if rect.left() <= where.x() < rect.right():
                self._selected = index
                self.open_menu()
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right walk through the parts; Enter, Space or Menu says what can be done."""
        shown = self._shown()
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if step and shown:
            self._selected = min(max(0, self._selected + step), len(shown) - 1)
            text = self.segment_text(shown[self._selected])
            self.setAccessibleDescription(text)
            rect = self._spans()[self._selected][1]
            QToolTip.showText(self.mapToGlobal(rect.bottomLeft().toPoint()), text, self)
            self.update()
        elif event.key() in _OPENING and 0 <= self._selected < len(shown):
            self.open_menu()
        else:
            event.ignore()

    def open_menu(self) -> ChoiceMenu | None:
        """Show what can be done about the selected part, above it."""
        from widgets.chat.choice_menu import ChoiceMenu

        spans = self._spans()
        if not 0 <= self._selected < len(spans):
            return None
        segment, rect = spans[self._selected]
        self.update()
        QToolTip.hideText()
        menu = ChoiceMenu(self, self.segment_text(segment), segment.choices)
        menu.chosen.connect(partial(self.choice_requested.emit, segment.id))
        place = self.mapToGlobal(rect.topLeft().toPoint())
        menu.popup(place - QPoint(0, menu.sizeHint().height() + 4))
        return menu

    def sizeHint(self) -> QSize:
        """As wide as it gets."""
        return QSize(theme.px(420), theme.px(_HEIGHT_PX))
