"""The speed section: the current rate in figures and the plot of the last minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from widgets import theme
from widgets.engine_pane.measure_link import MeasureLink
from widgets.engine_pane.speed_plot import SpeedPlot
from widgets.figures import rate
from widgets.parts import SectionHeading, column

if TYPE_CHECKING:
    from widgets.engine_pane.viewdata import SpeedSample
    from widgets.tick import RepaintTick


class SpeedSection(QWidget):
    """Owns the speed plot; the figure changes with the repaint tick.

    Attributes:
        measure: The way to measure which sizes and thread counts are best.
    """

    def __init__(self, tick: RepaintTick) -> None:
        super().__init__()
        self.setObjectName("speed_section")
        self._heading = SectionHeading(self.tr("Speed"), "speed_heading")
        self.measure = MeasureLink("measure_best")
        self._heading.add(self.measure)
        self.plot = SpeedPlot(tick)
        self._newest: SpeedSample | None = None
        whole = column(theme.SPACE.xs)
        whole.addWidget(self._heading)
        whole.addWidget(self.plot)
        self.setLayout(whole)
        tick.drives(self._on_tick)
        self._on_tick()

    def append(self, sample: SpeedSample) -> None:
        """Take the newest reading."""
        self._newest = sample
        self.plot.append(sample)

    def _on_tick(self) -> None:
        sample = self._newest
        if sample is None:
            return
        self._newest = None
        words = {
            "idle": self.tr("idle"),
            "load": self.tr("loading"),
            "read": self.tr("reading {rate}"),
            "write": "{rate}",
        }[sample.phase].format(rate=rate(sample.tokens_per_second))
        self._heading.set_value(words, detail=self.tr("Tokens per second, by the engine's clock"))
