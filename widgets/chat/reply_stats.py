"""The figures under a reply: which there are, in words, and their painting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from widgets import figures, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from widgets.chat.viewdata import ReplyStatsView

ROW_PX: Final = 28
_NEXT_LINE_PX: Final = 20
_GAP_PX: Final = 14.0
Piece = tuple[str, bool]
Group = list[Piece]


def _tr(text: str) -> str:
    return QCoreApplication.translate("ReplyStats", text)


def stats_height(lines: int) -> int:
    """Height of so many lines of figures."""
    return theme.px(ROW_PX) + (lines - 1) * theme.px(_NEXT_LINE_PX)


def stats_groups(stats: ReplyStatsView) -> list[Group]:
    """The figures as groups of (text, is a figure)."""
    groups: list[Group] = []
    if stats.tokens is not None:
        groups.append([(f"{stats.tokens:,}", True), (_tr(" tokens"), False)])
    if stats.tokens_per_second is not None:
        figure, unit = figures.rate(stats.tokens_per_second).split(" ")
        groups.append([(figure, True), (f" {unit}", False)])
    if stats.first_token_s is not None:
        figure = figures.seconds(stats.first_token_s)
        groups.append([(_tr("first after "), False), (figure, True)])
    reuse: list[Piece] = []
    if stats.cached_tokens is not None:
        reuse += [(f"{stats.cached_tokens:,}", True), (_tr(" cached"), False)]
    if stats.read_tokens is not None:
        comma = ", " if reuse else ""
        reuse += [(comma, False), (f"{stats.read_tokens:,}", True), (_tr(" read"), False)]
    if reuse:
        groups.append(reuse)
    if stats.guessed_tokens:
        share = f"{100 * stats.guessed_right / stats.guessed_tokens:.0f} %"
        groups.append([(share, True), (_tr(" guessed right"), False)])
    if stats.stop_reason and stats.stop_is_notable:
        groups.append([(stats.stop_reason, False)])
    return groups


def stats_tooltip(stats: ReplyStatsView) -> str:
    """The same, exact and in the terms of the field."""
    lines: list[str] = []
    if stats.read_tokens_per_second is not None:
        rate = figures.rate(stats.read_tokens_per_second)
        lines.append(_tr("Prompt read (prefill) at {rate}").format(rate=rate))
    if stats.tokens_per_second is not None:
        rate = figures.rate(stats.tokens_per_second)
        lines.append(_tr("Written (decode) at {rate}").format(rate=rate))
    if stats.cached_tokens is not None:
        tokens = figures.whole(stats.cached_tokens)
        lines.append(_tr("{tokens} prompt tokens taken from the KV cache").format(tokens=tokens))
    if stats.guessed_tokens:
        words = _tr("Guessed ahead: {n} tokens, {right} of them right")
        right = figures.whole(stats.guessed_right)
        lines.append(words.format(n=figures.whole(stats.guessed_tokens), right=right))
    if stats.read_reason:
        lines.append(stats.read_reason)
    if stats.stop_reason:
        lines.append(_tr("Ended: {reason}").format(reason=stats.stop_reason))
    return "\n".join(lines)


class StatsLine(QWidget):
    """Paints groups of figures, in as many lines as they need; figures are stronger than words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("replyStats")
        self._groups: list[Group] = []
        self._width_px = 0.0

    def show_groups(self, groups: list[Group], tooltip: str = "") -> None:
        """Replace what is shown."""
        if groups != self._groups:
            self._groups = groups
            self._width_px = self._measure()
            self.setAccessibleName(
                ", ".join("".join(text for text, _ in group) for group in groups)
            )
            self.updateGeometry()
            self.update()
        self.setToolTip(tooltip)
        self.setAccessibleDescription(tooltip.replace("\n", "; "))

    def restyle(self) -> None:
        """Take the size of text in force."""
        self._width_px = self._measure()
        self.update()

    def natural_width(self) -> float:
        """Width of everything on one line."""
        return self._width_px

    def height_for(self, width_px: float) -> int:
        """Height of all lines."""
        return stats_height(len(self._lines(width_px)))

    def _measure(self) -> float:
        return sum(map(_width_of_group, self._groups)) + _GAP_PX * len(self._groups)

    def _lines(self, width_px: float) -> list[list[Group]]:
        lines: list[list[Group]] = [[]]
        left = width_px + 1
        for group in self._groups:
            width = _width_of_group(group)
            if width > left and lines[-1]:
                lines.append([])
                left = width_px + 1
            lines[-1].append(group)
            left -= width + _GAP_PX
        return lines

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(round(self.natural_width()), theme.px(ROW_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint all groups."""
        painter = QPainter(self)
        colors = theme.current()
        for at, line in enumerate(self._lines(self.width())):
            x, y = 0.0, at * theme.px(_NEXT_LINE_PX)
            for group in line:
                for text, is_figure in group:
                    painter.setFont(theme.font("meta", strong=is_figure))
                    painter.setPen(QColor(colors.dim if is_figure else colors.faint))
                    box = QRectF(x, y, theme.px(600), theme.px(ROW_PX))
                    painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
                    x += _width_of(text, is_figure=is_figure)
                x += _GAP_PX


def _width_of_group(group: Group) -> float:
    return sum(_width_of(text, is_figure=is_figure) for text, is_figure in group)


def _width_of(text: str, *, is_figure: bool) -> float:
    return QFontMetricsF(theme.font("meta", strong=is_figure)).horizontalAdvance(text)
