"""Charts drawn with pyqtgraph; the only importer of it.

Loading pyqtgraph takes a third of a second: import this when a chart is about to be shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal

from widgets import theme
from widgets.economics.viewdata import CurveView, LimitView, bytes_at, looks

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent

_MOST_CONTEXT_TICKS: Final = 8
_MOST_SIZE_TICKS: Final = 6
_GIB: Final = 1024**3
# How near a curve the pointer must be to ask about it.
_HOVER_PX: Final = 12.0

pg.setConfigOptions(antialias=True)


class _ContextAxis(pg.AxisItem):  # type: ignore[misc]
    """Tokens as 0k, 32k, 64k, at powers of two."""

    def tickValues(self, low: float, high: float, _size: float) -> list[tuple[float, list[float]]]:
        """Four to eight ticks at a multiple of a power of two."""
        step = 1024
        while (high - low) / step > _MOST_CONTEXT_TICKS:
            step *= 2
        first = -(-int(low) // step) * step
        return [(step, [float(at) for at in range(first, int(high) + 1, step)])]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        """Labels of the ticks."""
        return [f"{value / 1024:.0f}k" for value in values]


class _SizeAxis(pg.AxisItem):  # type: ignore[misc]
    """GiB at round binary steps: 0, 8, 16, 24."""

    def tickValues(self, low: float, high: float, _size: float) -> list[tuple[float, list[float]]]:
        """Three to six ticks."""
        step = 2.0**-4
        while (high - low) / step > _MOST_SIZE_TICKS:
            step *= 2
        count = int(high / step) + 1
        return [(step, [at * step for at in range(count) if at * step >= low])]


class ContextChart(pg.PlotWidget):  # type: ignore[misc]
    """Memory against context, a line per model and KV type, with a cursor.

    The pointer or the arrow keys move the cursor; a click or Enter chooses its context.

    Signals:
        moved: Tokens under the cursor.
        chosen: Tokens that were clicked.
    """

    moved = Signal(int)
    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(
            background=None, axisItems={"bottom": _ContextAxis("bottom"), "left": _SizeAxis("left")}
        )
        self.setObjectName("context_chart")
        self.setAccessibleName(self.tr("Memory against context"))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        _plain(self)
        # Room for the last label of the axis.
        self.getPlotItem().setContentsMargins(0, 0, 16, 0)
        self._curves: tuple[CurveView, ...] = ()
        self._limits: tuple[LimitView, ...] = ()
        self._top_tokens = 131_072
        self._tokens = 0
        self._drawn: list[pg.GraphicsObject] = []
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._dots = pg.ScatterPlotItem(size=9, pxMode=True)
        self.getPlotItem().addItem(self._cursor, ignoreBounds=True)
        self.getPlotItem().addItem(self._dots, ignoreBounds=True)
        self.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.scene().sigMouseClicked.connect(lambda _event: self.chosen.emit(self._tokens))
        theme.signals().changed.connect(self.redraw)

    def set_curves(self, curves: tuple[CurveView, ...], limits: tuple[LimitView, ...]) -> None:
        """Show other lines; the cursor stays where it is."""
        self._curves, self._limits = curves, limits
        self._top_tokens = max((p[0] for c in curves for p in c.points), default=131_072)
        self.redraw()

    def set_cursor(self, tokens: int) -> None:
        """Move the cursor."""
        self._tokens = max(0, min(self._top_tokens, tokens))
        self._draw_cursor()
        self.moved.emit(self._tokens)

    def tokens(self) -> int:
        """Where the cursor is."""
        return self._tokens

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys move the cursor by a sixty-fourth, Enter chooses."""
        step = max(256, self._top_tokens // 64)
        if event.key() == Qt.Key.Key_Right:
            self.set_cursor(self._tokens + step)
        elif event.key() == Qt.Key.Key_Left:
            self.set_cursor(self._tokens - step)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(self._tokens)
        else:
            super().keyPressEvent(event)

    def redraw(self) -> None:
        """Draw lines, limits and axes in the colours in force."""
        plot, tokens = self.getPlotItem(), theme.current()
        for item in self._drawn:
            plot.removeItem(item)
        self._drawn.clear()
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(pg.mkPen(None))
            axis.setTextPen(tokens.dim)
            axis.setStyle(
                tickFont=theme.font("label"),
                tickLength=0,
                tickTextOffset=8,
                hideOverlappingLabels=False,
            )
        style = looks(self._curves)
        top_gib = 1.0
        for curve in self._curves:
            colour, is_dashed = style[curve.id]
            pen = pg.mkPen(str(getattr(tokens, colour)), width=2)
            if is_dashed:
                pen.setDashPattern([3, 2.5])
            at = np.array([p[0] for p in curve.points], dtype=float)
            gibs = np.array([p[1] / _GIB for p in curve.points], dtype=float)
            top_gib = max(top_gib, float(gibs.max(initial=0.0)))
            self._drawn.append(plot.plot(at, gibs, pen=pen))
        for limit in self._limits:
            self._draw_limit(limit)
            top_gib = max(top_gib, limit.size_bytes / _GIB)
        plot.setXRange(0, self._top_tokens, padding=0.012)
        plot.setYRange(0, top_gib * 1.08, padding=0)
        self._draw_grid(top_gib * 1.08)
        self._draw_cursor()

    def _draw_grid(self, top_gib: float) -> None:
        (_step, ticks), *_rest = self.getPlotItem().getAxis("left").tickValues(0, top_gib, 0)
        for at in ticks:
            line = pg.InfiniteLine(pos=at, angle=0, pen=pg.mkPen(theme.current().line, width=1))
            line.setZValue(-10)
            self.getPlotItem().addItem(line, ignoreBounds=True)
            self._drawn.append(line)

    def _draw_limit(self, limit: LimitView) -> None:
        bad = theme.current().bad
        line = pg.InfiniteLine(
            pos=limit.size_bytes / _GIB,
            angle=0,
            pen=pg.mkPen(bad, width=1.2, style=Qt.PenStyle.DashLine),
        )
        word = pg.TextItem(limit.label, color=bad, anchor=(1, 1))
        word.setFont(theme.font("label"))
        word.setPos(self._top_tokens, limit.size_bytes / _GIB)
        for item in (line, word):
            self.getPlotItem().addItem(item, ignoreBounds=True)
            self._drawn.append(item)

    def _draw_cursor(self) -> None:
        tokens, style = theme.current(), looks(self._curves)
        self._cursor.setPen(pg.mkPen(tokens.faint, width=1))
        self._cursor.setPos(self._tokens)
        spots = []
        for curve in self._curves:
            size = bytes_at(curve, self._tokens)
            if size is not None:
                ink = str(getattr(tokens, style[curve.id][0]))
                spots.append({"pos": (self._tokens, size / _GIB), "brush": ink, "pen": None})
        self._dots.setData(spots)

    def _on_mouse_moved(self, where: QPointF) -> None:
        if self.sceneBoundingRect().contains(where):
            at = self.getPlotItem().getViewBox().mapSceneToView(where).x()
            self.set_cursor(round(at / 256) * 256)
            self.setToolTip(self._reason_at(where))

    def _reason_at(self, where: QPointF) -> str:
        """The curve under the pointer, and why it costs that much; empty beside all of them."""
        view = self.getPlotItem().getViewBox()
        best, words = _HOVER_PX, ""
        for curve in self._curves:
            size = bytes_at(curve, self._tokens)
            if size is None:
                continue
            away = abs(view.mapViewToScene(QPointF(self._tokens, size / _GIB)).y() - where.y())
            if away < best:
                best, words = away, f"{curve.model} · {curve.kv_type}\n{curve.reason}"
        return words


def _plain(widget: pg.PlotWidget) -> None:
    """Take away what pyqtgraph offers for exploring data: menu, buttons, zooming, its ground."""
    plot = widget.getPlotItem()
    plot.hideButtons()
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(x=False, y=False)
    plot.setContentsMargins(0, 0, 0, 0)
    plot.getViewBox().setDefaultPadding(0.0)
    widget.viewport().setAutoFillBackground(False)
    widget.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
    widget.setStyleSheet("background: transparent")
    widget.setMouseTracking(True)
