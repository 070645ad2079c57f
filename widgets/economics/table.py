"""The models of the chart as a table: bytes per token, the longest context, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGridLayout, QWidget

from widgets import theme
from widgets.economics.viewdata import CurveView, looks
from widgets.figures import UNKNOWN, context_length
from widgets.parts import hairline, icon_button, label

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QLabel

_WIDTHS: Final = (18, 150, 84, 104)


def per_token(value_bytes: float | None) -> str:
    """Bytes of KV cache for one token."""
    if value_bytes is None:
        return UNKNOWN
    if value_bytes < 1024:
        return f"{value_bytes:.0f} B"
    if value_bytes < 10 * 1024:
        return f"{value_bytes / 1024:.1f} KiB"
    return f"{value_bytes / 1024:,.0f} KiB"


class LineMark(QWidget):
    """A short stretch of a curve, solid or dashed, beside its name."""

    def __init__(self, colour: str, *, is_dashed: bool) -> None:
        super().__init__()
        self._colour, self._is_dashed = colour, is_dashed
        self.setFixedSize(QSize(14, 14))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.color(self._colour), 2.4)
        if self._is_dashed:
            pen.setDashPattern([1.6, 1.2])
        painter.setPen(pen)
        middle = QRectF(self.rect()).center().y()
        painter.drawLine(0, round(middle), self.width(), round(middle))


class CurveTable(QWidget):
    """One row per curve. Rows of one model follow each other.

    Signals:
        remove_requested: The id of the curve to take out of the comparison.
    """

    remove_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("curve_table")
        self.setAccessibleName(self.tr("What context costs, model by model"))
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.SPACE.m)
        self._grid.setVerticalSpacing(9)
        for at, width in enumerate(_WIDTHS):
            self._grid.setColumnMinimumWidth(at, width)
        self._grid.setColumnStretch(1, 2)
        self._grid.setColumnStretch(4, 5)
        self.setLayout(self._grid)
        self._shown: tuple[tuple[CurveView, ...], str] = ((), "")

    def set_curves(self, curves: tuple[CurveView, ...], longest_words: str) -> None:
        """Show other curves."""
        if (curves, longest_words) == self._shown:
            return
        self._shown = (curves, longest_words)
        while (taken := self._grid.takeAt(0)) is not None:
            held = taken.widget()
            if held is not None:
                held.hide()
                held.deleteLater()
        heads = ("", self.tr("Model"), self.tr("KV per token"), longest_words, self.tr("Why"))
        for at, words in enumerate(heads):
            self._grid.addWidget(label(words, "meta", "dim", strong=True), 0, at)
        style = looks(curves)
        last_model = ""
        for at, curve in enumerate(curves, start=1):
            self._grid.addWidget(hairline(), at * 2 - 1, 0, 1, 6)
            self._add(at * 2, curve, style[curve.id], is_first=curve.model_id != last_model)
            last_model = curve.model_id

    def _add(self, at: int, curve: CurveView, look: tuple[str, bool], *, is_first: bool) -> None:
        colour, is_dashed = look
        self._grid.addWidget(LineMark(colour, is_dashed=is_dashed), at, 0)
        name = curve.model if is_first else self.tr("… KV {kind}").format(kind=curve.kv_type)
        cells: list[QLabel] = [
            label(name, "body", wrap=True),
            label(per_token(curve.kv_bytes_per_token)),
            label(context_length(curve.longest_tokens)),
            label(curve.reason, "body", "dim", wrap=True),
        ]
        for column, cell in enumerate(cells, start=1):
            cell.setToolTip(f"{curve.model} · {curve.kv_type}\n{curve.reason}")
            self._grid.addWidget(cell, at, column, Qt.AlignmentFlag.AlignVCenter)
        remove = icon_button(
            "close",
            f"curve_remove_{curve.id}",
            self.tr("Remove {model}, KV {kind}").format(model=curve.model, kind=curve.kv_type),
            "faint",
        )
        remove.clicked.connect(lambda: self.remove_requested.emit(curve.id))
        self._grid.addWidget(remove, at, 5)
