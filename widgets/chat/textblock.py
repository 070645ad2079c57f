"""One laid-out stretch of styled text: the atom of which paragraphs and table cells are made.

It stands on `QTextLayout` alone. Unlike a `QTextDocument` it has no notion of a resource, so
there is nothing that a reply could make it load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextLine,
    QTextOption,
)

from widgets import theme
from widgets.chat.leaves import OBJECT
from widgets.chat.plaintext import units
from widgets.chat.typeset import FormulaRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.chat.leaves import Align, Run
    from widgets.chat.typeset import Formula, Typesetter

_UNBOUNDED_PX: Final = 1_000_000.0
_ALIGN: Final = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch painted behind the text: a selection or a search hit."""

    start: int
    end: int
    color: str
    is_current: bool = False


def draw_mark(painter: QPainter, rect: QRectF, mark: Mark) -> None:
    """Paint a mark; the current hit has a frame, so that its text stays readable."""
    painter.fillRect(rect, QColor(mark.color))
    if mark.is_current:
        painter.setPen(QPen(theme.color("warn"), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect.adjusted(-0.5, 0.5, 0.5, -0.5))


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a block's unstyled text looks."""

    font: QFont
    color: str
    line_px: float


@dataclass(frozen=True, slots=True)
class _Decor:
    start: int
    end: int
    kind: Literal["code", "chip", "formula"]
    run: Run
    formula: Formula | None = None


class TextBlock:
    """Runs laid out at a width. Positions are UTF-16 units of the runs' shown text."""

    def __init__(
        self,
        runs: Sequence[Run],
        style: TextStyle,
        typesetter: Typesetter,
        align: Align = "left",
        ratio: float = 1.0,
    ) -> None:
        self.height = 0.0
        self.natural_width = 0.0
        self.links: list[tuple[int, int, str]] = []
        self.pending: set[str] = set()
        self._style = style
        self._typesetter = typesetter
        self._ratio = ratio
        self._decor: list[_Decor] = []
        self._tops: list[tuple[float, float]] = []
        text, formats = self._read(runs)
        self._layout = QTextLayout(text, style.font)
        self._layout.setCacheEnabled(True)
        option = QTextOption(_ALIGN[align])
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._layout.setTextOption(option)
        self._layout.setFormats(formats)

    def _read(self, runs: Sequence[Run]) -> tuple[str, list[QTextLayout.FormatRange]]:
        parts: list[str] = []
        formats: list[QTextLayout.FormatRange] = []
        at = 0
        for run in runs:
            size = units(run.shown)
            formula = self._formula(run) if run.tex else None
            shape = self._format(run, formula)
            if shape is not None:
                span = QTextLayout.FormatRange()
                span.start, span.length, span.format = at, size, shape
                formats.append(span)
            self._decorate(run, at, at + size, formula)
            parts.append("\u00a0" if run.shown == OBJECT else run.shown)
            at += size
        return "".join(parts), formats

    def _decorate(self, run: Run, start: int, end: int, formula: Formula | None) -> None:
        if run.tex:
            self._decor.append(_Decor(start, end, "formula", run, formula))
        elif run.citation is not None:
            self._decor.append(_Decor(start, end, "chip", run))
        elif run.code:
            self._decor.append(_Decor(start, end, "code", run))
        if run.href:
            self.links.append((start, end, run.href))

    def _formula(self, run: Run) -> Formula | None:
        size = self._style.font.pixelSize() * 1.16
        request = FormulaRequest(run.text, size, self._style.color, self._ratio, is_display=False)
        made = self._typesetter.formula(request)
        if made is None:
            self.pending.add(run.text)
        return made

    def _format(self, run: Run, formula: Formula | None) -> QTextCharFormat | None:
        base = self._style.font
        if run.tex:
            return self._object_format(run, formula)
        if not (run.bold or run.italic or run.strike or run.code or run.href):
            return None
        colors = theme.current()
        shape = QTextCharFormat()
        font = QFont(base)
        if run.code:
            font = theme.font("mono")
        if run.bold:
            font.setWeight(QFont.Weight.DemiBold)
        font.setItalic(run.italic)
        font.setStrikeOut(run.strike)
        if run.citation is not None:
            font.setPixelSize(max(8, base.pixelSize() - 1))
            found = run.citation.state == "found"
            shape.setForeground(QColor(colors.accent if found else colors.dim))
            if found:
                font.setWeight(QFont.Weight.Medium)
        elif run.href:
            shape.setForeground(QColor(colors.accent))
            font.setUnderline(True)
        shape.setFont(font)
        return shape

    def _object_format(self, run: Run, formula: Formula | None) -> QTextCharFormat:
        """A single blank, spaced out to the width of what will be painted over it."""
        blank = QFontMetricsF(self._style.font).horizontalAdvance("\u00a0")
        width = formula.width if formula else self._source_width(run)
        font = QFont(self._style.font)
        font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, width - blank + 2)
        shape = QTextCharFormat()
        shape.setFont(font)
        return shape

    def _source_width(self, run: Run) -> float:
        return min(QFontMetricsF(theme.font("mono")).horizontalAdvance(run.text), 560.0)

    def measure(self) -> float:
        """Natural width in pixels, without wrapping."""
        self.layout(_UNBOUNDED_PX)
        return self.natural_width

    def layout(self, width: float) -> float:
        """Break into lines of at most `width` pixels and return the height."""
        self._tops = []
        y = 0.0
        natural = 0.0
        formulas = [decor for decor in self._decor if decor.formula is not None]
        layout = self._layout
        layout.beginLayout()
        while True:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(width)
            ascent, descent = _with_formulas(line, formulas)
            box = max(self._style.line_px, ascent + descent + 4)
            line.setPosition(QPointF(0, y + (box - ascent - descent) / 2 + ascent - line.ascent()))
            self._tops.append((y, y + box))
            y += box
            natural = max(natural, line.naturalTextWidth())
        layout.endLayout()
        self.natural_width = natural
        self.height = y
        return y

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark] = ()) -> None:
        """Paint with the top left corner at (`x`, `y`)."""
        for mark in marks:
            for rect in self.rects(mark.start, mark.end):
                draw_mark(painter, rect.translated(x, y), mark)
        for decor in self._decor:
            if decor.kind != "formula":
                self._draw_box(painter, x, y, decor)
        painter.setPen(QColor(self._style.color))
        self._layout.draw(painter, QPointF(x, y))
        for decor in self._decor:
            if decor.kind == "formula":
                self._draw_formula(painter, x, y, decor)

    def _draw_box(self, painter: QPainter, x: float, y: float, decor: _Decor) -> None:
        colors = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        found = decor.run.citation is not None and decor.run.citation.state == "found"
        for rect in self.rects(decor.start, decor.end):
            inset = max(0.0, (rect.height() - self._style.font.pixelSize() - 6) / 2)
            spread = 0 if decor.kind == "chip" else 2
            box = rect.translated(x, y).adjusted(-spread, inset, spread, -inset)
            if found:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(colors.accent_soft))
            elif decor.kind == "chip":
                painter.setPen(QPen(QColor(colors.other), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                box = box.adjusted(0.5, 0.5, -0.5, -0.5)
            else:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(colors.free))
            painter.drawRoundedRect(box, 5, 5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_formula(self, painter: QPainter, x: float, y: float, decor: _Decor) -> None:
        line = self._layout.lineForTextPosition(decor.start)
        if not line.isValid():
            return
        left = x + _x_at(line, decor.start) + 1
        baseline = y + line.y() + line.ascent()
        if decor.formula is not None:
            painter.drawImage(QPointF(left, baseline - decor.formula.ascent), decor.formula.image)
            return
        painter.setFont(theme.font("mono"))
        painter.setPen(QColor(theme.current().dim))
        metrics = QFontMetricsF(theme.font("mono"))
        room = self._source_width(decor.run)
        shown = metrics.elidedText(decor.run.text, Qt.TextElideMode.ElideRight, room + 1)
        painter.drawText(QPointF(left, baseline), shown)

    def rects(self, start: int, end: int) -> list[QRectF]:
        """Where the text between two positions stands, one rectangle per line."""
        found: list[QRectF] = []
        for index, (top, bottom) in enumerate(self._tops):
            line = self._layout.lineAt(index)
            low = max(start, line.textStart())
            high = min(end, line.textStart() + line.textLength())
            if low < high:
                left, right = sorted((_x_at(line, low), _x_at(line, high)))
                found.append(QRectF(left, top, right - left, bottom - top))
        return found

    def hit(self, x: float, y: float) -> int:
        """The position nearest to a point."""
        for index, (_top, bottom) in enumerate(self._tops):
            if y < bottom or index == len(self._tops) - 1:
                return self._layout.lineAt(index).xToCursor(x)
        return 0

    def link_at(self, x: float, y: float) -> str:
        """The target of the link or citation at a point, or an empty string."""
        for start, end, href in self.links:
            if any(rect.contains(x, y) for rect in self.rects(start, end)):
                return href
        return ""


def _x_at(line: QTextLine, position: int) -> float:
    # The stub knows only the overload with an integer; the binding answers (x, position).
    return float(cast("tuple[float, int]", line.cursorToX(position))[0])


def _with_formulas(line: QTextLine, formulas: Sequence[_Decor]) -> tuple[float, float]:
    """Ascent and descent of a line with its formulas, which the layout knows nothing of."""
    ascent, descent = line.ascent(), line.descent()
    end = line.textStart() + line.textLength()
    for decor in formulas:
        if decor.formula is not None and line.textStart() <= decor.start < end:
            ascent = max(ascent, decor.formula.ascent)
            descent = max(descent, decor.formula.descent)
    return ascent, descent
