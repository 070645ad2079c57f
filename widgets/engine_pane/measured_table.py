"""The values that are tried, setting by setting: speed as a bar and a figure, and the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from widgets import theme
from widgets.engine_pane.notices import emptied
from widgets.figures import UNKNOWN, rate
from widgets.parts import SectionHeading, label

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from widgets.engine_pane.measuring_viewdata import MeasuredSettingView, MeasuredValueView

_BAR_HEIGHT_PX: Final = 8
_ROW_HEIGHT_PX: Final = 22
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_VALUE_PX, _RATE_PX, _MEMORY_PX, _NOTE_PX = 40, 88, 104, 92


class SpeedBar(QWidget):
    """A speed as a share of the fastest of its setting. The figure beside it says the same."""

    def __init__(self, share: float | None, *, is_best: bool) -> None:
        super().__init__()
        self._share, self._is_best = share, is_best
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(QSize(60, _BAR_HEIGHT_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(self.rect())
        radius = whole.height() / 2
        painter.setBrush(theme.color("free"))
        painter.drawRoundedRect(whole, radius, radius)
        if self._share:
            filled = QRectF(whole)
            filled.setWidth(max(2 * radius, whole.width() * min(1.0, self._share)))
            painter.setBrush(theme.color("accent" if self._is_best else "other"))
            painter.drawRoundedRect(filled, radius, radius)


class MeasuredTable(QWidget):
    """A heading and rows per setting; a setting appears when its first value is timed."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("measured_table")
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.SPACE.m)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        for at, width in ((0, _VALUE_PX), (2, _RATE_PX), (3, _MEMORY_PX), (4, _NOTE_PX)):
            self._grid.setColumnMinimumWidth(at, width)
        self.setLayout(self._grid)
        self._shown: tuple[MeasuredSettingView, ...] = ()

    def set_settings(self, settings: tuple[MeasuredSettingView, ...]) -> None:
        """Show other figures."""
        if settings == self._shown:
            return
        self._shown = settings
        emptied(self._grid)
        at = 0
        for setting in settings:
            heading = SectionHeading(setting.title, "measured_heading")
            heading.setContentsMargins(0, theme.SPACE.s if at else 0, 0, theme.SPACE.xs)
            self._grid.addWidget(heading, at, 0, 1, 3)
            if any(one.compute_bytes is not None for one in setting.values):
                buffers = label(self.tr("compute buffers"), "label", "faint")
                buffers.setAlignment(_RIGHT)
                self._grid.addWidget(buffers, at, 3)
            speeds = [one.tokens_per_second or 0.0 for one in setting.values]
            for value in setting.values:
                at += 1
                self._add(at, value, max(speeds))
            at += 1
        self.setAccessibleName("\n".join(self._spoken(one) for one in settings))

    def _add(self, at: int, value: MeasuredValueView, fastest: float) -> None:
        speed = value.tokens_per_second
        strong = value.is_best
        name = label(value.value, strong=strong)
        name.setAlignment(_RIGHT)
        self._grid.setRowMinimumHeight(at, _ROW_HEIGHT_PX)
        self._grid.addWidget(name, at, 0)
        if value.problem:
            refused = label(self._note(value), "meta", "warn")
            refused.setToolTip(value.problem)
            self._grid.addWidget(refused, at, 1, 1, 4)
            return
        share = speed / fastest if speed and fastest else None
        self._grid.addWidget(SpeedBar(share, is_best=strong), at, 1)
        figure = label(rate(speed) if speed else UNKNOWN, strong=strong)
        figure.setToolTip(self.tr("± {spread:,.1f} tok/s").format(spread=value.spread))
        memory = label(_memory(value.compute_bytes), "body", "dim")
        memory.setToolTip(self.tr("Compute buffers with this value, on all devices"))
        for column, cell in ((2, figure), (3, memory)):
            cell.setAlignment(_RIGHT)
            self._grid.addWidget(cell, at, column)
        note = label(self._note(value), "meta", "accent" if strong else "dim", strong=strong)
        self._grid.addWidget(note, at, 4)

    def _note(self, value: MeasuredValueView) -> str:
        if value.problem:
            return self.tr("does not work")
        if value.is_timed:
            return self.tr("measuring")
        if value.is_best:
            return self.tr("best, as now") if value.is_now else self.tr("best")
        return self.tr("now") if value.is_now else ""

    def _spoken(self, setting: MeasuredSettingView) -> str:
        rows = [
            ", ".join(
                part
                for part in (
                    one.value,
                    rate(one.tokens_per_second) if one.tokens_per_second else "",
                    _memory(one.compute_bytes),
                    self._note(one),
                )
                if part
            )
            for one in setting.values
        ]
        return "; ".join([setting.title, *rows])


def _memory(value_bytes: int | None) -> str:
    """Compute buffers in MiB, which they are compared in: most differ by less than 0.1 GiB."""
    return "" if value_bytes is None else f"{value_bytes / 2**20:,.0f} MiB"
