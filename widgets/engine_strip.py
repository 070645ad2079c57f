"""The engine pane folded into a strip at the top of a narrow window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from widgets import theme
from widgets.engine_pane.bar_painting import paint_bar
from widgets.figures import gib, rate
from widgets.parts import Dot, ElidedLabel, icon_button, label, row

if TYPE_CHECKING:
    from PySide6.QtGui import QMouseEvent, QPaintEvent, QResizeEvent

    from widgets.engine_pane.viewdata import DevicePlanView, DeviceView, ModelCardView, SpeedSample
    from widgets.tick import RepaintTick

HEIGHT_PX: Final = 46


class MiniBar(QWidget):
    """A device in two short lines: name and figure above its bar."""

    def __init__(self, device: DeviceView) -> None:
        super().__init__()
        self._device = device
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_device(device)

    def set_device(self, device: DeviceView) -> None:
        """Show a device at once."""
        self._device = device
        self._words = self.tr("{used} of {total}").format(
            used=gib(device.planned_bytes, unit=False), total=gib(device.total_bytes)
        )
        self.setAccessibleName(device.name)
        self.setAccessibleDescription(self._words)
        self.setToolTip(f"{device.name} · {self._words}")
        self.update()

    def sizeHint(self) -> QSize:
        """The size it would like."""
        return QSize(theme.px(150), theme.px(32))

    def minimumSizeHint(self) -> QSize:
        """The least it can do with."""
        return QSize(theme.px(70), theme.px(32))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("bad" if self._device.short_bytes else "dim"))
        area = QRectF(0, 0, self.width(), theme.px(16))
        painter.drawText(
            area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self._words
        )
        room = self.width() - painter.fontMetrics().horizontalAdvance(self._words) - 6
        painter.setPen(theme.color("text"))
        name = painter.fontMetrics().elidedText(
            self._device.name, Qt.TextElideMode.ElideRight, room
        )
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        paint_bar(painter, QRectF(0, theme.px(19), self.width(), 9), self._device)


class EngineStrip(QFrame):
    """Model, bars and speed in one line; a click brings the pane back. Main thread.

    Signals:
        open_requested: The engine pane is wanted.
        picker_requested: The list of models is wanted.
    """

    open_requested = Signal()
    picker_requested = Signal()

    def __init__(self, tick: RepaintTick) -> None:
        super().__init__()
        self.setObjectName("engine_strip")
        self.setAccessibleName(self.tr("Engine, folded"))
        self.setProperty("surface", "panel")
        theme.size(self, "FixedHeight", HEIGHT_PX)
        self._bars: list[MiniBar] = []
        self._shown: tuple[DeviceView, ...] = ()
        self._newest: SpeedSample | None = None
        self._dot = Dot()
        # The quantization is at the end of the name.
        self._name = ElidedLabel("", "body", gives_way=Qt.TextElideMode.ElideMiddle)
        theme.size(self._name, "MinimumWidth", 60)
        self._speed = label("", "meta", "dim")
        theme.size(self._speed, "MinimumWidth", 72)
        self._speed.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        choose = icon_button("chevron-down", "strip_choose", self.tr("Choose a model (Ctrl+L)"))
        choose.clicked.connect(self.picker_requested)
        unfold = icon_button("panel-right", "strip_open", self.tr("Show the engine (Ctrl+E)"))
        unfold.clicked.connect(self.open_requested)
        self._row = row(theme.SPACE.m)
        self._whole = whole = row(theme.SPACE.s, (theme.SPACE.l, 0, theme.SPACE.s, 0))
        whole.addWidget(self._dot)
        whole.addWidget(self._name, 2)
        whole.addWidget(choose)
        whole.addLayout(self._row, 5)
        whole.addWidget(self._speed)
        whole.addWidget(unfold)
        self.setLayout(whole)
        tick.drives(self._on_tick)

    def set_model(self, view: ModelCardView) -> None:
        """Show a model and the colour of its state; the words are in the tooltip."""
        self._name.set_whole(view.name or self.tr("No model"), view.words)
        self._dot.set_tone(
            {"plain": "faint", "ok": "ok", "warn": "warn", "bad": "bad"}[view.tone],
            hollow=view.state in ("none", "unloaded"),
        )

    def set_plan(self, view: DevicePlanView) -> None:
        """Show the bars of the devices that are on."""
        shown = tuple(device for device in view.devices if device.is_on)
        if shown == self._shown:
            return
        self._shown = shown
        while len(self._bars) < len(shown):
            self._bars.append(MiniBar(shown[len(self._bars)]))
            self._row.addWidget(self._bars[-1], 1)
        for bar, device in zip(self._bars, shown, strict=False):
            bar.set_device(device)
        self._show_what_fits()

    def _show_what_fits(self) -> None:
        """The model and the way back to the pane come first, then the speed, then the bars."""
        edges = self.contentsMargins()
        room = self.width() - edges.left() - edges.right()
        room -= self._whole.minimumSize().width() - self._row.minimumSize().width()
        least = max(self._speed.minimumSizeHint().width(), self._speed.minimumWidth())
        speed_px = least + self._whole.spacing()
        room += 0 if self._speed.isHidden() else speed_px
        has_speed = room >= speed_px
        self._speed.setVisible(has_speed)
        room -= speed_px if has_speed else 0
        each = self._bars[0].minimumSizeHint().width() + self._row.spacing() if self._bars else 1
        count = min(len(self._shown), max(0, (room + self._row.spacing()) // each))
        for at, bar in enumerate(self._bars):
            bar.setVisible(at < count)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show what fits."""
        super().resizeEvent(event)
        self._show_what_fits()

    def append_speed(self, sample: SpeedSample) -> None:
        """Take the newest reading for the next tick."""
        self._newest = sample

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.open_requested.emit()

    def _on_tick(self) -> None:
        if self._newest is not None:
            words = {"idle": "", "load": self.tr("loading")}.get(
                self._newest.phase, rate(self._newest.tokens_per_second)
            )
            self._speed.setText(words)
            self._newest = None
