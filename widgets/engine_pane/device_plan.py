"""The memory plan: one bar per device in the model's order, legend, on/off and order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QWidget

from widgets import theme
from widgets.engine_pane.device_bar import DeviceBar
from widgets.engine_pane.legend import Legend
from widgets.engine_pane.viewdata import DeviceLiveView, DevicePlanView, DeviceView
from widgets.parts import SectionHeading, column, icon_button, label

if TYPE_CHECKING:
    from widgets.tick import RepaintTick

_KEPT_BUSY: Final = 120


class DevicePlan(QWidget):
    """Owns the device bars. A plan is shown at once, live figures with the repaint tick.

    Signals:
        device_switched: (id, on) from a device's menu.
        order_changed: Ids of all devices in their new order.
        device_add_requested: The user wants another machine's device.
    """

    device_switched = Signal(str, bool)
    order_changed = Signal(tuple)
    device_add_requested = Signal()

    def __init__(self, tick: RepaintTick) -> None:
        super().__init__()
        self.setObjectName("device_plan")
        self._view = DevicePlanView()
        self._live: dict[str, DeviceLiveView] = {}
        self._live_is_new = False
        self._busy: dict[str, deque[float | None]] = {}
        self._bars: list[DeviceBar] = []
        self._heading = SectionHeading(self.tr("Memory plan"), "device_plan_heading")
        self.more = icon_button("more", "device_plan_menu", self.tr("Devices"))
        self.more.clicked.connect(self._on_menu)
        self._heading.add(self.more)
        self._rows = column(theme.SPACE.s)
        self._empty = label(self.tr("Devices are being looked for."), "meta", "dim", wrap=True)
        self._legend = Legend()
        whole = column(theme.SPACE.xs)
        whole.addWidget(self._heading)
        whole.addWidget(self._empty)
        whole.addLayout(self._rows)
        whole.addSpacing(2)
        whole.addWidget(self._legend)
        self.setLayout(whole)
        tick.drives(self._on_tick)

    def set_plan(self, view: DevicePlanView) -> None:
        """Show a plan at once: a drag must be answered within a frame or two."""
        self._view = view
        while len(self._bars) < len(view.devices):
            self._add_bar()
        for bar in self._bars[len(view.devices) :]:
            bar.hide()
        for bar, device in zip(self._bars, view.devices, strict=False):
            bar.set_device(device, pending=view.is_pending)
            bar.show()
        self._empty.setVisible(not view.devices)
        self._heading.set_value(view.summary, view.summary_tone, view.summary_detail)
        self._live_is_new = True

    def set_live(self, live: tuple[DeviceLiveView, ...]) -> None:
        """Keep the newest figures of telemetry for the next tick."""
        self._live = {each.id: each for each in live}
        for each in live:
            history = self._busy.setdefault(each.id, deque(maxlen=_KEPT_BUSY))
            history.append(each.busy_percent)
        self._live_is_new = True

    def plan(self) -> DevicePlanView:
        """What is shown."""
        return self._view

    def _add_bar(self) -> None:
        at = len(self._bars)
        bar = DeviceBar(f"device_bar_{at}")
        bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        bar.customContextMenuRequested.connect(lambda where, on=bar: self._on_bar_menu(on, where))
        bar.pulled.connect(lambda by, on=bar: self._move(on, by))
        for keys, step in (("Alt+Up", -1), ("Alt+Down", 1)):
            shortcut = QShortcut(QKeySequence(keys), bar)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(lambda on=bar, by=step: self._move(on, by))
        self._rows.addWidget(bar)
        # Devices come when they are found, after the rest: Tab goes by what is seen.
        QWidget.setTabOrder(self._bars[-1] if self._bars else self.more, bar)
        self._bars.append(bar)

    def _on_tick(self) -> None:
        if self._live_is_new:
            self._live_is_new = False
            for bar in self._bars:
                ident = bar.device.id
                bar.set_live(self._live.get(ident), tuple(self._busy.get(ident, ())))

    def _on_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for device in self._movable():
            act = menu.addAction(f"{device.name}  {device.id}")
            act.setCheckable(True)
            act.setChecked(device.is_on)
            act.toggled.connect(lambda on, ident=device.id: self.device_switched.emit(ident, on))
        menu.addSeparator()
        menu.addAction(self.tr("Add another machine's device …"), self.device_add_requested.emit)
        menu.popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def _on_bar_menu(self, bar: DeviceBar, where: QPoint) -> None:
        device = bar.device
        if device.kind == "ram":
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        use = menu.addAction(self.tr("Use this device"))
        use.setCheckable(True)
        use.setChecked(device.is_on)
        use.toggled.connect(lambda on: self.device_switched.emit(device.id, on))
        at = self._bars.index(bar)
        earlier = menu.addAction(self.tr("Move up"), lambda: self._move(bar, -1))
        earlier.setEnabled(device.is_on and at > 0)
        later = menu.addAction(self.tr("Move down"), lambda: self._move(bar, 1))
        last = sum(one.is_on for one in self._movable()) - 1
        later.setEnabled(device.is_on and at < last)
        menu.addSeparator()
        menu.addAction(
            self.tr("Copy its address"), lambda: QGuiApplication.clipboard().setText(device.id)
        )
        menu.popup(bar.mapToGlobal(where))

    def _movable(self) -> list[DeviceView]:
        """Every device but RAM, which is always there and always last."""
        return [device for device in self._view.devices if device.kind != "ram"]

    def _move(self, bar: DeviceBar, by: int) -> None:
        if not bar.device.is_on:
            return
        ids = [device.id for device in self._movable() if device.is_on]
        at = self._bars.index(bar)
        to = at + by
        if max(at, to) < len(ids) and to >= 0:
            ids[at], ids[to] = ids[to], ids[at]
            self._bars[to].setFocus()
            self.order_changed.emit(tuple(ids))
