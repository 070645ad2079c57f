"""Plots drawn with pyqtgraph; the only importer of it.

Colours come from the theme's tokens. Plots keep the newest data and redraw with the repaint tick.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import log10, nan
from typing import TYPE_CHECKING, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGraphicsRectItem, QToolTip

from widgets import theme
from widgets.figures import rate

if TYPE_CHECKING:
    from widgets.engine_pane.viewdata import Phase
    from widgets.tick import RepaintTick

_KEPT_SAMPLES: Final = 600

pg.setConfigOptions(antialias=True)


@dataclass(frozen=True, slots=True)
class SpeedSample:
    """One reading of the engine's speed.

    Attributes:
        at_s: A monotonic clock; idle time between samples is left out of the plot.
        tokens_per_second: None while a model is loaded and where it is unknown.
    """

    at_s: float
    phase: Phase
    tokens_per_second: float | None = None


def bands(samples: list[SpeedSample]) -> list[tuple[Phase, int, int]]:
    """Runs of one phase as (phase, first, one past last)."""
    found: list[tuple[Phase, int, int]] = []
    for at, sample in enumerate(samples):
        if found and found[-1][0] == sample.phase:
            phase, first, _end = found[-1]
            found[-1] = (phase, first, at + 1)
        else:
            found.append((sample.phase, at, at + 1))
    return found


class SpeedPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Tokens per second over the last minute of work, with bands for load, read and write.

    The scale is logarithmic, so that reading at thousands and writing at tens share one plot.
    Main thread; redrawn by the tick; emits nothing of its own.
    """

    def __init__(self, tick: RepaintTick) -> None:
        super().__init__(background=None)
        self.setObjectName("speed_plot")
        self.setAccessibleName(self.tr("Speed over the last minute"))
        self.setFixedHeight(62)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        self.setStyleSheet("background: transparent")
        self._samples: deque[SpeedSample] = deque(maxlen=_KEPT_SAMPLES)
        self._is_new = False
        plot = self.getPlotItem()
        plot.hideAxis("left")
        plot.hideAxis("bottom")
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(x=False, y=False)
        plot.setContentsMargins(0, 0, 0, 0)
        plot.getViewBox().setDefaultPadding(0.0)
        self._curve = plot.plot(connect="finite")
        self._empty = pg.TextItem(self.tr("No reply yet"), anchor=(0, 1))
        self._empty.setFont(theme.font("label"))
        plot.getViewBox().addItem(self._empty, ignoreBounds=True)
        self._bands: list[QGraphicsRectItem] = []
        self._words: list[pg.TextItem] = []
        self.setMouseTracking(True)
        self.scene().sigMouseMoved.connect(self._on_mouse_moved)
        tick.drives(self._on_tick)
        theme.signals().changed.connect(self.redraw)
        self.redraw()

    def append(self, sample: SpeedSample) -> None:
        """Keep a sample for the next tick. Idle time is not drawn."""
        if sample.phase != "idle":
            self._samples.append(sample)
            self._is_new = True

    def clear_samples(self) -> None:
        """Forget everything, as after another model was loaded."""
        self._samples.clear()
        self._is_new = True

    def redraw(self) -> None:
        """Draw what is kept."""
        samples = list(self._samples)
        heights = [
            nan if s.tokens_per_second is None else log10(1 + max(0.0, s.tokens_per_second))
            for s in samples
        ]
        top = max([h for h in heights if h == h], default=1.0) * 1.15 or 1.0
        # A load has no tokens: the line runs along the floor, as it does in a cold start.
        drawn = [0.0 if s.phase == "load" else h for s, h in zip(samples, heights, strict=True)]
        self._curve.setPen(pg.mkPen(theme.current().accent, width=1.4))
        self._curve.setData(np.arange(len(drawn), dtype=float), np.array(drawn, dtype=float))
        self.getPlotItem().setYRange(-0.04 * top, top, padding=0)
        self.getPlotItem().setXRange(0, max(len(samples) - 1, 60), padding=0)
        self._empty.setVisible(not samples)
        self._empty.setColor(theme.current().dim)
        self._draw_bands(samples, top)

    def _draw_bands(self, samples: list[SpeedSample], top: float) -> None:
        view = self.getPlotItem().getViewBox()
        for item in (*self._bands, *self._words):
            view.removeItem(item)
        self._bands.clear()
        self._words.clear()
        span = max(len(samples) - 1, 60)
        fills = {"load": "free", "read": "accent_soft", "write": None}
        words = {"load": self.tr("load"), "read": self.tr("read"), "write": self.tr("write")}
        for phase, first, end in bands(samples):
            token = fills.get(phase)
            if token is not None:
                rect = QGraphicsRectItem(first, -0.1 * top, end - first, 1.2 * top)
                rect.setBrush(QColor(str(getattr(theme.current(), token))))
                rect.setPen(pg.mkPen(None))
                rect.setZValue(-10)
                view.addItem(rect, ignoreBounds=True)
                self._bands.append(rect)
            if (end - first) / span > 0.09:
                word = pg.TextItem(words.get(phase, ""), color=theme.current().dim, anchor=(0, 1))
                word.setFont(theme.font("label"))
                word.setPos(first, -0.04 * top)
                view.addItem(word, ignoreBounds=True)
                self._words.append(word)

    def _on_tick(self) -> None:
        if self._is_new:
            self._is_new = False
            self.redraw()

    def _on_mouse_moved(self, where: QPointF) -> None:
        samples = list(self._samples)
        at = round(self.getPlotItem().getViewBox().mapSceneToView(where).x())
        if not 0 <= at < len(samples):
            QToolTip.hideText()
            return
        sample = samples[at]
        ago = samples[-1].at_s - sample.at_s
        term = {"load": "load", "read": "read (prefill)", "write": "write (decode)"}
        text = f"{term.get(sample.phase, '')}  {rate(sample.tokens_per_second)}  -{ago:.1f} s"
        QToolTip.showText(self.mapToGlobal(self.mapFromScene(where)), text, self)
