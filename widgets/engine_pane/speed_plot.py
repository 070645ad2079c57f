"""The plot of the last minute's speed, painted by hand: it is there with the first window."""

from __future__ import annotations

from collections import deque
from math import isnan, log10, nan
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QToolTip, QWidget

from widgets import theme
from widgets.figures import rate

if TYPE_CHECKING:
    from PySide6.QtGui import QColor, QMouseEvent

    from widgets.engine_pane.viewdata import Phase, SpeedSample
    from widgets.tick import RepaintTick

_HEIGHT_PX: Final = 62
_KEPT_SAMPLES: Final = 600
_LEAST_SPAN: Final = 60
# Of the highest value: room under the line for words, and above it.
_BELOW, _ABOVE = 0.04, 0.15
_WORD_FROM_SHARE: Final = 0.09
_LINE_PX: Final = 1.4
_GROUND_SHARE: Final = 0.8
_FILLS: Final[dict[Phase, str]] = {"load": "free", "read": "accent_soft"}


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


class SpeedPlot(QWidget):
    """Tokens per second over the last minute of work, with bands for load, read and write.

    The scale is logarithmic, so that reading at thousands and writing at tens share one plot.
    Main thread; repainted by the tick; emits nothing of its own.
    """

    def __init__(self, tick: RepaintTick) -> None:
        super().__init__()
        self.setObjectName("speed_plot")
        self.setAccessibleName(self.tr("Speed over the last minute"))
        theme.size(self, "FixedHeight", _HEIGHT_PX)
        self.setMouseTracking(True)
        self._samples: deque[SpeedSample] = deque(maxlen=_KEPT_SAMPLES)
        self._shown: list[SpeedSample] = []
        self._is_new = False
        tick.drives(self._on_tick)

    def append(self, sample: SpeedSample) -> None:
        """Keep a sample for the next tick. Idle time is not drawn."""
        if sample.phase != "idle":
            self._samples.append(sample)
            self._is_new = True

    def heights(self) -> list[float]:
        """Where the line runs, sample by sample; NaN is a gap."""
        # A load has no tokens: the line runs along the floor, as it does in a cold start.
        return [0.0 if sample.phase == "load" else _height(sample) for sample in self._shown]

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(240, theme.px(_HEIGHT_PX))

    # ---- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw bands, words and the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font("label"))
        self._paint_bands(painter)
        self._paint_line(painter)
        self._paint_words(painter)
        if all(sample.phase == "load" for sample in self._shown):
            # Beside the band of a load, which would stand there unexplained.
            width = len(self._shown) * self._step_px()
            self._paint_word(painter, width, self.tr("No reply yet"))

    def _paint_bands(self, painter: QPainter) -> None:
        step = self._step_px()
        for phase, first, end in bands(self._shown):
            if phase in _FILLS:
                # As far as the line, which has reached the newest sample and no further.
                until = min(end, max(1, len(self._shown) - 1))
                band = QRectF(first * step, 0, (until - first) * step, self.height())
                painter.fillRect(band, theme.color(_FILLS[phase]))

    def _paint_line(self, painter: QPainter) -> None:
        painter.setPen(QPen(theme.color("accent"), _LINE_PX))
        heights, step = self.heights(), self._step_px()
        top = max((h for h in heights if not isnan(h)), default=0.0) * (1 + _ABOVE) or 1.0
        stretch = self.height() / ((1 + _BELOW) * top)
        piece = QPolygonF()
        for at, height in enumerate([*heights, nan]):
            if not isnan(height):
                piece.append(QPointF(at * step, (top - height) * stretch))
            elif not piece.isEmpty():
                painter.drawPolyline(piece)
                piece = QPolygonF()

    def _paint_words(self, painter: QPainter) -> None:
        words = {"load": self.tr("load"), "read": self.tr("read"), "write": self.tr("write")}
        step = self._step_px()
        metrics = painter.fontMetrics()
        for phase, first, end in bands(self._shown):
            room = min(max((end - first) * step, 0.0), self.width() - first * step)
            if phase in words and room > max(
                _WORD_FROM_SHARE * self.width(),
                metrics.horizontalAdvance(words[phase]) + theme.SPACE.xs,
            ):
                # The line may run through it, and then only shimmers through.
                ground = theme.color(_FILLS.get(phase, "panel"), _GROUND_SHARE)
                self._paint_word(painter, first * step + theme.SPACE.xs, words[phase], ground)

    def _paint_word(
        self, painter: QPainter, left_px: float, word: str, ground: QColor | None = None
    ) -> None:
        floor_px = self.height() * _BELOW / (1 + _BELOW)
        area = QRectF(left_px, 0, self.width(), self.height() - floor_px)
        at = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        if ground is not None:
            painter.fillRect(painter.boundingRect(area, at, word), ground)
        painter.setPen(theme.color("dim"))
        painter.drawText(area, at, word)

    def _step_px(self) -> float:
        return self.width() / max(len(self._shown) - 1, _LEAST_SPAN)

    # ---- what happens

    def _on_tick(self) -> None:
        if self._is_new:
            self._is_new = False
            self._shown = list(self._samples)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the figures under the pointer."""
        at = round(event.position().x() / self._step_px())
        if not 0 <= at < len(self._shown):
            QToolTip.hideText()
            return
        sample = self._shown[at]
        ago_s = self._shown[-1].at_s - sample.at_s
        term = {"load": "load", "read": "read (prefill)", "write": "write (decode)"}
        text = f"{term.get(sample.phase, '')}  {rate(sample.tokens_per_second)}  -{ago_s:.1f} s"
        QToolTip.showText(event.globalPosition().toPoint(), text, self)


def _height(sample: SpeedSample) -> float:
    known = sample.tokens_per_second
    return nan if known is None else log10(1 + max(0.0, known))
