"""A stretch of a code block: one layout per line, so that a growing block costs its new lines.

Lines do not wrap; a wide block is moved sideways. The parts of a long block share their offset.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPainterPath,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)

from widgets import theme
from widgets.chat.leafview import LeafView
from widgets.chat.plaintext import units
from widgets.chat.textblock import draw_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.chat.leaves import CodeLeaf
    from widgets.chat.textblock import Mark
    from widgets.chat.typeset import CodeRole, Spans, Typesetter

HEADER_PX: Final = 30.0
LINE_PX: Final = 18.0
PAD_PX: Final = 14.0
BOTTOM_PX: Final = 12.0
_MAX_LINE_UNITS: Final = 4_000
_ROLE_TOKEN: Final[dict[CodeRole, str]] = {
    "comment": "faint",
    "keyword": "accent",
    "string": "ok",
    "number": "compute",
    "name": "weights",
}


@dataclass
class SideScroll:
    """How far a code block is moved to the left, shared by its parts, in pixels."""

    offset: float = 0.0
    content: float = 0.0


class CodeView(LeafView):
    """Owns the line layouts of one code leaf."""

    def __init__(self, leaf: CodeLeaf, typesetter: Typesetter, scroll: SideScroll) -> None:
        super().__init__(leaf)
        self.code = leaf
        self.scroll = scroll
        self._typesetter = typesetter
        self._font = theme.font("mono")
        self._lines: list[QTextLayout] = []
        self._starts: list[int] = []
        self._texts: list[str] = []
        self._colored = False
        self._take(leaf.text.split("\n"))

    def extend(self, leaf: CodeLeaf) -> bool:
        """Take a longer version of the same code; `False` when it is another text."""
        if not leaf.text.startswith(self.code.text) or leaf.first != self.code.first:
            return False
        self.leaf = self.code = leaf
        self._colored = False
        lines = leaf.text.split("\n")
        keep = max(0, len(self._texts) - 1)
        for items in (self._lines, self._starts, self._texts):
            del items[keep:]
        self._take(lines[keep:])
        self.layout(self.width)
        return True

    def _take(self, lines: Sequence[str]) -> None:
        at = self._starts[-1] + units(self._texts[-1]) + 1 if self._texts else 0
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        option.setTabStopDistance(theme.px(4 * 7.25))
        for text in lines:
            layout = QTextLayout(_shown_line(text), self._font)
            layout.setCacheEnabled(True)
            layout.setTextOption(option)
            self._break(layout)
            self._lines.append(layout)
            self._starts.append(at)
            self._texts.append(text)
            at += units(text) + 1

    def _break(self, layout: QTextLayout) -> None:
        layout.beginLayout()
        line = layout.createLine()
        if line.isValid():
            line.setLineWidth(1e7)
            line.setPosition(QPointF(0, 0))
            self.scroll.content = max(self.scroll.content, line.naturalTextWidth())
        layout.endLayout()

    def color(self) -> bool:
        """Colour the code as far as colours are there. Asks for them; `True` when complete."""
        if self._colored:
            return True
        spans = self._typesetter.spans(self.code.language, self.code.text)
        if spans is None:
            return False
        self.apply(spans)
        self._colored = True
        return True

    def color_prefix(self, code: str) -> None:
        """Colour what `code`, an earlier state of this text, has colours for."""
        spans = self._typesetter.spans(self.code.language, code)
        if spans is not None:
            self.apply(spans)

    def apply(self, spans: Spans) -> None:
        """Put colours on the lines; they may stem from a shorter version of the code."""
        colors = theme.current()
        shapes: dict[str, QTextCharFormat] = {}
        for role, token in _ROLE_TOKEN.items():
            shape = QTextCharFormat()
            shape.setForeground(QColor(getattr(colors, token)))
            shapes[role] = shape
        by_line: dict[int, list[QTextLayout.FormatRange]] = {}
        for start, length, role in spans:
            self._spread(by_line, start, start + length, shapes[role])
        for index, ranges in by_line.items():
            self._lines[index].setFormats(ranges)
            self._break(self._lines[index])

    def _spread(
        self,
        by_line: dict[int, list[QTextLayout.FormatRange]],
        start: int,
        end: int,
        shape: QTextCharFormat,
    ) -> None:
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._starts) and self._starts[index] < end:
            low = max(start - self._starts[index], 0)
            high = min(end - self._starts[index], units(self._texts[index]))
            if low < high:
                span = QTextLayout.FormatRange()
                span.start, span.length, span.format = low, high - low, shape
                by_line.setdefault(index, []).append(span)
            index += 1

    @property
    def text_top(self) -> float:
        """Where the first line begins."""
        return theme.px(HEADER_PX) if self.code.first else 0.0

    @property
    def overflow(self) -> float:
        """How far the block can be moved sideways."""
        return max(0.0, self.scroll.content - (self.width - 2 * PAD_PX))

    def layout(self, width: float) -> float:
        """Height of the stretch; its lines do not depend on the width."""
        self.width = width
        self.scroll.offset = min(self.scroll.offset, self.overflow)
        bottom = BOTTOM_PX if self.code.last else 0.0
        self.height = self.text_top + len(self._lines) * theme.px(LINE_PX) + bottom
        return self.height

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark]) -> None:
        """Paint the box and those lines that are in the painter's clip."""
        self._draw_box(painter, x, y)
        if self.code.first:
            self._draw_language(painter, x, y)
        clip = painter.clipBoundingRect()
        low, high = 0, len(self._lines)
        if not clip.isEmpty():
            low = max(0, int((clip.top() - y - self.text_top) // theme.px(LINE_PX)))
            high = min(high, int((clip.bottom() - y - self.text_top) // theme.px(LINE_PX)) + 2)
        painter.save()
        inner = QRectF(x + PAD_PX - 4, y, self.width - 2 * PAD_PX + 8, self.height)
        painter.setClipRect(inner, Qt.ClipOperation.IntersectClip)
        painter.setPen(QColor(theme.current().text))
        left = x + PAD_PX - self.scroll.offset
        for index in range(low, high):
            top = y + self.text_top + index * theme.px(LINE_PX)
            self._draw_marks(painter, left, top, index, marks)
            self._lines[index].draw(painter, QPointF(left, top + 1))
        painter.restore()
        self._draw_bar(painter, x, y)

    def _draw_box(self, painter: QPainter, x: float, y: float) -> None:
        colors = theme.current()
        box = QRectF(x + 0.5, y + 0.5, self.width - 1, self.height - 1)
        if not self.code.first:
            box.setTop(y - 20)
        if not self.code.last:
            box.setBottom(y + self.height + 20)
        path = QPainterPath()
        path.addRoundedRect(box, theme.RADIUS.card, theme.RADIUS.card)
        painter.save()
        painter.setClipRect(QRectF(x, y, self.width, self.height), Qt.ClipOperation.IntersectClip)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(path, QColor(colors.code))
        painter.strokePath(path, QPen(QColor(colors.line), 1))
        painter.restore()

    def _draw_language(self, painter: QPainter, x: float, y: float) -> None:
        painter.setFont(theme.font("label"))
        painter.setPen(QColor(theme.current().dim))
        label = QRectF(x + PAD_PX, y + 3, self.width - 2 * PAD_PX - 60, theme.px(HEADER_PX) - 4)
        align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(label, align, self.code.language[:40] or "text")

    def _draw_marks(
        self, painter: QPainter, left: float, top: float, index: int, marks: Sequence[Mark]
    ) -> None:
        line = self._lines[index].lineAt(0)
        start, size = self._starts[index], units(self._texts[index])
        for mark in marks:
            low, high = max(mark.start - start, 0), min(mark.end - start, size + 1)
            if low < high and line.isValid():
                a = line.cursorToX(min(low, size))[0]  # type: ignore[index]
                b = line.cursorToX(min(high, size))[0]  # type: ignore[index]
                b += 6 if high > size else 0
                draw_mark(painter, QRectF(left + a, top, b - a, theme.px(LINE_PX)), mark)

    def _draw_bar(self, painter: QPainter, x: float, y: float) -> None:
        rect = self.bar_rect()
        if rect.isEmpty():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current().other))
        painter.drawRoundedRect(rect.translated(x, y), 2, 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def bar_rect(self) -> QRectF:
        """The sideways bar, empty when all fits."""
        if not self.code.last or self.overflow <= 0:
            return QRectF()
        room = self.width - 2 * PAD_PX
        width = max(24.0, room * room / self.scroll.content)
        left = PAD_PX + (room - width) * self.scroll.offset / self.overflow
        return QRectF(left, self.height - 7, width, 4)

    def scroll_by(self, pixels: float) -> bool:
        """Move sideways; `False` when it cannot move that way."""
        wanted = min(max(0.0, self.scroll.offset + pixels), self.overflow)
        moved = wanted != self.scroll.offset
        self.scroll.offset = wanted
        return moved

    def hit(self, x: float, y: float) -> int:
        """Nearest position."""
        if not self._lines:
            return 0
        index = min(max(0, int((y - self.text_top) // theme.px(LINE_PX))), len(self._lines) - 1)
        line = self._lines[index].lineAt(0)
        inside = line.xToCursor(x - PAD_PX + self.scroll.offset) if line.isValid() else 0
        return self._starts[index] + inside

    def top_of(self, position: int) -> float:
        """Height of the line of a position."""
        index = max(0, bisect_right(self._starts, position) - 1)
        return self.text_top + index * theme.px(LINE_PX)


def _shown_line(text: str) -> str:
    """A line as it is painted: an endless one is cut, and says so; copying has all of it."""
    if len(text) <= _MAX_LINE_UNITS:
        return text
    rest = len(text) - _MAX_LINE_UNITS
    return f"{text[:_MAX_LINE_UNITS]} … {rest:,} more characters, Copy has them"
