"""One device of the plan: its name, the bar of what fills its memory, and its live figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import theme
from widgets.engine_pane.bar_painting import paint_bar, paint_spark, parts_of
from widgets.engine_pane.viewdata import DeviceLiveView, DeviceView
from widgets.figures import UNKNOWN, exact_bytes, gib, whole

if TYPE_CHECKING:
    from PySide6.QtGui import QMouseEvent, QPaintEvent

BAR_HEIGHT_PX: Final = 18
_HEADING_PX: Final = 20
_SUBLINE_PX: Final = 18
_SPARK_WIDTH_PX: Final = 56
_SPARK_LEAST_PX: Final = 24
_PULL_PX: Final = 12


class DeviceBar(QWidget):
    """Paints one device. Repaints when a plan arrives; live figures wait for the tick.

    Owned by `DevicePlan`; main thread.

    Signals:
        pulled: -1 or 1 when it is dragged past its upper or lower neighbour.
    """

    pulled = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._device = DeviceView(id="", name="")
        self._live: DeviceLiveView | None = None
        self._history: tuple[float | None, ...] = ()
        self._pending = False
        self._held = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def device(self) -> DeviceView:
        """What is shown."""
        return self._device

    def set_device(self, device: DeviceView, *, pending: bool = False) -> None:
        """Show a plan at once."""
        if (device, pending) != (self._device, self._pending):
            self._device, self._pending = device, pending
            self._describe()
            self.updateGeometry()
            self.update()

    def set_live(self, live: DeviceLiveView | None, history: tuple[float | None, ...] = ()) -> None:
        """Show live figures and how busy it has been; called from the repaint tick."""
        if (live, history) != (self._live, self._history):
            self._live, self._history = live, history
            self._describe()
            self.update()

    def sizeHint(self) -> QSize:
        """The size it would like."""
        return QSize(theme.px(260), theme.px(_HEADING_PX) + BAR_HEIGHT_PX + theme.px(_SUBLINE_PX))

    def minimumSizeHint(self) -> QSize:
        """The least it can do with."""
        return QSize(theme.px(130), self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        if not self._device.is_on:
            painter.setOpacity(0.5)
        self._paint_heading(painter)
        area = QRectF(0, theme.px(_HEADING_PX), self.width(), BAR_HEIGHT_PX)
        paint_bar(painter, area, self._device)
        self._paint_subline(painter)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.color("accent"), 1.6))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(0.8, 0.8, -0.8, -0.8), 5, 5)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold."""
        self._held = event.button() is Qt.MouseButton.LeftButton

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        y = event.position().y()
        if self._held and not -_PULL_PX <= y <= self.height() + _PULL_PX:
            self._held = False
            self.pulled.emit(-1 if y < 0 else 1)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        self._held = False

    def shown_used_bytes(self) -> int | None:
        """The figure in the heading: the plan's, or what telemetry reads when there is none."""
        if self._device.planned_bytes is not None:
            return self._device.planned_bytes
        return self._live.used_bytes if self._live else None

    def _paint_heading(self, painter: QPainter) -> None:
        area = QRectF(0, 0, self.width(), theme.px(_HEADING_PX) - 3)
        # What a device that is not used would hold is no question.
        room = self._paint_figure(painter, area) if self._device.is_on else area.width()
        self._paint_name(painter, area, room)

    def _paint_figure(self, painter: QPainter, area: QRectF) -> float:
        """What is in use, at the right; the width that is left for the name."""
        device = self._device
        tail = self.tr(" of {total}").format(total=gib(device.total_bytes))
        figure = gib(self.shown_used_bytes(), unit=False)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("dim"))
        painter.drawText(area, right, tail)
        tail_px = painter.fontMetrics().horizontalAdvance(tail)
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("bad" if device.short_bytes else "text"))
        body_area = area.adjusted(0, 0, -tail_px, 1)
        painter.drawText(body_area, right, figure)
        taken_px = painter.fontMetrics().horizontalAdvance(figure)
        return body_area.width() - taken_px - theme.SPACE.s

    def _paint_name(self, painter: QPainter, area: QRectF, room: float) -> None:
        device = self._device
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("text"))
        name = painter.fontMetrics().elidedText(device.name, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(area.adjusted(0, 0, 0, 1), left, name)
        taken = painter.fontMetrics().horizontalAdvance(name)
        if device.id not in ("", device.name) and device.kind != "ram" and room - taken > 40:
            painter.setFont(theme.font("label"))
            painter.setPen(theme.color("dim"))
            ident = painter.fontMetrics().elidedText(
                f" · {_short_id(device.id)}", Qt.TextElideMode.ElideRight, int(room - taken)
            )
            painter.drawText(area.adjusted(taken, 0, 0, 0), left, ident)

    def _paint_subline(self, painter: QPainter) -> None:
        top = theme.px(_HEADING_PX) + BAR_HEIGHT_PX
        area = QRectF(0, top + 3, self.width(), theme.px(_SUBLINE_PX) - 3)
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("bad" if self._device.is_lost else "dim"))
        history = self._history
        room, x = area.width(), 0.0
        for text in self.subline():
            width = painter.fontMetrics().horizontalAdvance(text)
            if x + width > room:
                break
            painter.drawText(
                QRectF(x, area.top(), width + 1, area.height()), Qt.AlignmentFlag.AlignVCenter, text
            )
            x += width + theme.SPACE.m
        spark = min(_SPARK_WIDTH_PX, room - x)
        if len(history) > 1 and spark >= _SPARK_LEAST_PX:
            paint_spark(painter, QRectF(area.right() - spark, area.top() + 2, spark, 10), history)

    def subline(self) -> list[str]:
        """The live figures in words; what is unknown is left out."""
        device, live = self._device, self._live
        if device.is_lost:
            return [device.problem or self.tr("This device stopped answering")]
        if device.is_what_if:
            return [self.tr("computed without the device")]
        if not device.is_on:
            return [self.tr("not used")]
        if live is None:
            words = device.problem or (self.tr("another machine") if device.kind == "rpc" else "")
            return [words] if words else []
        shown: list[str] = []
        if live.busy_percent is not None:
            shown.append(self.tr("{n} % busy").format(n=f"{live.busy_percent:.0f}"))
        if live.power_w is not None:
            shown.append(f"{live.power_w:.0f} W")
        if live.temperature_c is not None:
            shown.append(f"{live.temperature_c:.0f} °C")
        shown.extend(text for text in (live.pcie, live.note) if text)
        return shown

    def _describe(self) -> None:
        self.setToolTip(self._tip())
        self.setAccessibleName(self._device.name)
        self.setAccessibleDescription(self._tip().replace("\n", "; "))

    def _tip(self) -> str:
        device, live = self._device, self._live
        is_named = device.name.casefold() != device.id.casefold()
        lines = [f"{device.name}  {device.id}" if is_named else device.name]
        for token, word, size in parts_of(device):
            lines.append(f"{word}: {exact_bytes(size)}")
            if token == "kv":
                lines += [f"  {kind}: {exact_bytes(part)}" for kind, part in device.kv_kinds]
        if device.total_bytes is not None and device.planned_bytes is not None:
            free = max(0, device.total_bytes - device.planned_bytes)
            lines.append(self.tr("free: {size}").format(size=exact_bytes(free)))
        lines.append(self.tr("total: {size}").format(size=exact_bytes(device.total_bytes)))
        if device.limit_bytes is not None:
            lines.append(self.tr("limit: {size}").format(size=exact_bytes(device.limit_bytes)))
        if live is not None:
            lines.append(self.tr("in use now: {size}").format(size=exact_bytes(live.used_bytes)))
            if live.app_bytes is not None:
                lines.append(
                    self.tr("by Leadline: {size}").format(size=exact_bytes(live.app_bytes))
                )
            if live.bandwidth_percent is not None:
                lines.append(
                    self.tr("memory bandwidth: {n} %").format(n=whole(live.bandwidth_percent))
                )
            if live.pcie_rx_bytes_per_s is not None or live.pcie_tx_bytes_per_s is not None:
                lines.append(
                    self.tr("PCIe in {rx}, out {tx}").format(
                        rx=_per_second(live.pcie_rx_bytes_per_s),
                        tx=_per_second(live.pcie_tx_bytes_per_s),
                    )
                )
        return "\n".join(lines)


def _per_second(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value / 1e6:,.0f} MB/s"


def _short_id(ident: str) -> str:
    """A PCI id without its eight-digit domain and function: 0000:41:00."""
    head, dot, function = ident.rpartition(".")
    short = head if dot and function in {"0", "1"} and ":" in head else ident
    domain, colon, rest = short.partition(":")
    # The address of another machine has a colon as well.
    is_pci = colon and len(domain) == 8 and domain.isalnum()
    return f"{domain[-4:]}:{rest}" if is_pci else short
