"""Leaves laid out for painting: paragraphs, tables, formulas and rules. Code has its own module.

A view is made for what is near the window and dropped when it is far off; the leaf stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from widgets import theme
from widgets.chat.leafview import LeafView
from widgets.chat.leaves import Run
from widgets.chat.plaintext import units
from widgets.chat.textblock import Mark, TextBlock, TextStyle
from widgets.chat.typeset import FormulaRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.chat.leaves import Leaf, MathLeaf, RuleLeaf, TableLeaf, TextLeaf
    from widgets.chat.typeset import Formula, Typesetter

Tone = Literal["text", "dim"]

BODY_LINE_PX: Final = 21.0
INDENT_PX: Final = 22.0
QUOTE_PX: Final = 16.0
_CELL_X: Final = 10.0
_CELL_Y: Final = 5.0
_WIDEST_CELL_PX: Final = 320.0
_NARROWEST_CELL_PX: Final = 48.0
_HEADING_PX: Final = {1: 18, 2: 15, 3: 14}


def indent_of(leaf: Leaf) -> float:
    """Distance of a leaf's content from the left edge of the column."""
    return leaf.place.depth * theme.px(INDENT_PX) + leaf.place.quote * QUOTE_PX


def body_style() -> TextStyle:
    """Plain text of a message."""
    return TextStyle(theme.font("body"), theme.current().text, theme.px(BODY_LINE_PX))


def _text_style(leaf: TextLeaf, tone: Tone) -> TextStyle:
    if not leaf.level:
        base = body_style()
        is_dim = leaf.place.quote > 0 or tone == "dim"
        return TextStyle(base.font, theme.current().dim, base.line_px) if is_dim else base
    font = theme.font("body", strong=True)
    size = _HEADING_PX.get(leaf.level, 13)
    font.setPixelSize(theme.px(size))
    return TextStyle(font, theme.current().text, theme.px(size * 1.5))


class TextView(LeafView):
    """A paragraph, a heading or the text of a list item, with its marker."""

    def __init__(
        self, leaf: TextLeaf, typesetter: Typesetter, ratio: float, tone: Tone = "text"
    ) -> None:
        super().__init__(leaf)
        self._style = _text_style(leaf, tone)
        self._block = TextBlock(leaf.runs, self._style, typesetter, ratio=ratio)

    @property
    def pending(self) -> set[str]:
        """Formulas that are still being made."""
        return self._block.pending

    def layout(self, width: float) -> float:
        """Break into lines."""
        self.height = self._block.layout(width)
        return self.height

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark]) -> None:
        """Paint text and marker."""
        marker = self.leaf.place.marker
        if marker:
            painter.setFont(self._style.font)
            painter.setPen(QColor(theme.current().dim))
            gutter = QRectF(
                x - 2 * theme.px(INDENT_PX), y, 2 * theme.px(INDENT_PX) - 7, self._style.line_px
            )
            painter.drawText(
                gutter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, marker
            )
        self._block.draw(painter, x, y, marks)

    def hit(self, x: float, y: float) -> int:
        """Nearest position."""
        return self._block.hit(x, y)

    def link_at(self, x: float, y: float) -> str:
        """Target of the link there."""
        return self._block.link_at(x, y)

    def links(self) -> list[tuple[int, int, str]]:
        """Stretches that are links."""
        return self._block.links

    def top_of(self, position: int) -> float:
        """Height at which a position stands."""
        rects = self._block.rects(position, position + 1)
        return rects[0].top() if rects else 0.0


class TableView(LeafView):
    """A table: cells wrap, columns share the width, rows are parted by hairlines."""

    def __init__(
        self, leaf: TableLeaf, typesetter: Typesetter, ratio: float, columns: list[float]
    ) -> None:
        super().__init__(leaf)
        self._columns = columns
        self._rows: list[list[tuple[int, TextBlock]]] = []
        self._tops: list[tuple[float, float]] = []
        self._lefts: list[float] = []
        self._count = len(leaf.aligns)
        self._build(leaf, typesetter, ratio)

    def _build(self, leaf: TableLeaf, typesetter: Typesetter, ratio: float) -> None:
        body = body_style()
        head_font = theme.font("meta", strong=True)
        head = TextStyle(head_font, theme.current().dim, theme.px(BODY_LINE_PX))
        at = 0
        for index, row in enumerate(leaf.shown_rows):
            style = head if leaf.first and index == 0 else body
            cells: list[tuple[int, TextBlock]] = []
            for column, runs in enumerate(row):
                align = leaf.aligns[column] if column < len(leaf.aligns) else "left"
                cells.append((at, TextBlock(runs, style, typesetter, align, ratio)))
                at += sum(units(run.shown) for run in runs) + 1
            self._rows.append(cells)

    @property
    def pending(self) -> set[str]:
        """Formulas that are still being made."""
        return {tex for row in self._rows for _at, cell in row for tex in cell.pending}

    def layout(self, width: float) -> float:
        """Share the width among the columns and lay the cells out."""
        self.width = width
        count = self._count
        if len(self._columns) != count or abs(sum(self._columns) - width) > 1:
            self._columns[:] = self._shares(width, count)
        self._lefts = [sum(self._columns[:index]) for index in range(count)]
        self._tops = []
        y = 0.0
        for row in self._rows:
            height = float(theme.px(BODY_LINE_PX))
            for column, (_at, cell) in enumerate(row[:count]):
                height = max(height, cell.layout(max(8.0, self._columns[column] - 2 * _CELL_X)))
            self._tops.append((y, y + height + 2 * _CELL_Y))
            y += height + 2 * _CELL_Y
        self.height = y + 1
        return self.height

    def _shares(self, width: float, count: int) -> list[float]:
        natural = [float(theme.px(_NARROWEST_CELL_PX))] * count
        for row in self._rows:
            for column, (_at, cell) in enumerate(row[:count]):
                wanted = min(cell.measure(), theme.px(_WIDEST_CELL_PX)) + 2 * _CELL_X + 1
                natural[column] = max(natural[column], wanted)
        total = sum(natural)
        if total <= width:
            spare = (width - total) / max(1, count)
            return [share + spare for share in natural]
        floor = min(theme.px(_NARROWEST_CELL_PX), width / max(1, count))
        rest = width - floor * count
        over = total - floor * count
        return [floor + (share - floor) * rest / over for share in natural]

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark]) -> None:
        """Paint cells and hairlines."""
        line = QColor(theme.current().line)
        for row, (top, bottom) in zip(self._rows, self._tops, strict=False):
            for (at, cell), left in zip(row, self._lefts, strict=False):
                shifted = [
                    Mark(mark.start - at, mark.end - at, mark.color, mark.is_current)
                    for mark in marks
                ]
                cell.draw(painter, x + left + _CELL_X, y + top + _CELL_Y, shifted)
            painter.fillRect(QRectF(x, round(y + bottom), self.width, 1), line)

    def _cell_at(self, x: float, y: float) -> tuple[int, TextBlock, float, float] | None:
        for row, (top, bottom) in zip(self._rows, self._tops, strict=False):
            if y < bottom or row is self._rows[-1]:
                found = None
                for (at, cell), left in zip(row, self._lefts, strict=False):
                    if found is None or x >= left:
                        found = (at, cell, x - left - _CELL_X, y - top - _CELL_Y)
                return found
        return None

    def hit(self, x: float, y: float) -> int:
        """Nearest position."""
        found = self._cell_at(x, y)
        return found[0] + found[1].hit(found[2], found[3]) if found else 0

    def link_at(self, x: float, y: float) -> str:
        """Target of the link there."""
        found = self._cell_at(x, y)
        return found[1].link_at(found[2], found[3]) if found else ""

    def links(self) -> list[tuple[int, int, str]]:
        """Stretches that are links."""
        return [
            (at + start, at + end, href)
            for row in self._rows
            for at, cell in row
            for start, end, href in cell.links
        ]

    def top_of(self, position: int) -> float:
        """Height of the row in which a position stands."""
        top = 0.0
        for row, (row_top, _bottom) in zip(self._rows, self._tops, strict=False):
            if row and row[0][0] <= position:
                top = row_top
        return top


class MathView(LeafView):
    """A formula on its own line; its source while it is made or when it cannot be read."""

    def __init__(self, leaf: MathLeaf, typesetter: Typesetter, ratio: float) -> None:
        super().__init__(leaf)
        style = TextStyle(theme.font("mono"), theme.current().dim, theme.px(BODY_LINE_PX))
        size = body_style().font.pixelSize() * 1.25
        request = FormulaRequest(leaf.text, size, theme.current().text, ratio, is_display=True)
        self._formula: Formula | None = typesetter.formula(request)
        self._source = TextBlock((Run(leaf.text.replace("\n", " ")),), style, typesetter)

    @property
    def pending(self) -> set[str]:
        """The formula, while its picture is not there."""
        return {self.leaf.text} if self._formula is None else set()

    def layout(self, width: float) -> float:
        """Height of the picture or of the source."""
        self.width = width
        if self._formula is None:
            self.height = self._source.layout(width)
        else:
            self.height = (self._formula.ascent + self._formula.descent) * self._scale() + 8
        return self.height

    def _scale(self) -> float:
        return min(1.0, self.width / self._formula.width) if self._formula else 1.0

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark]) -> None:
        """Paint the picture in the middle of the column."""
        if self._formula is None:
            self._source.draw(painter, x, y, marks)
            return
        if marks:
            tint = QColor(marks[0].color)
            painter.fillRect(QRectF(x, y, self.width, self.height), tint)
        scale = self._scale()
        width = self._formula.width * scale
        target = QRectF(x + (self.width - width) / 2, y + 4, width, self.height - 8)
        if scale < 1:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(target, self._formula.image)
        else:
            painter.drawImage(QPointF(target.topLeft()), self._formula.image)

    def hit(self, x: float, y: float) -> int:
        """A formula is selected as a whole."""
        return 0 if x < self.width / 2 and y < self.height else units(self.leaf.text)


class RuleView(LeafView):
    """A horizontal rule."""

    def __init__(self, leaf: RuleLeaf) -> None:
        super().__init__(leaf)
        self.height = 9.0

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark]) -> None:
        """Paint a hairline."""
        del marks
        painter.fillRect(QRectF(x, round(y + 4), self.width, 1), QColor(theme.current().line))
