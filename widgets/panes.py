"""The three panes side by side: their widths, and folding the outer ones away."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from widgets import theme
from widgets.parts import column, hairline
from widgets.window_layout import WindowLayout

if TYPE_CHECKING:
    from widgets.engine_strip import EngineStrip

NARROW_PX: Final = 1120
_SIDEBAR_PX: Final = (216, 420)
_CENTRE_PX: Final = 360
_ENGINE_PX: Final = (320, 560)
_SETTLE_MS: Final = 800


def _grown(normal: int) -> int:
    return max(normal, theme.px(normal))


class Panes(QSplitter):
    """Sidebar, centre and engine. Below `NARROW_PX` both sides fold until they are asked for.

    A folded engine leaves its strip at the top of the centre. Main thread.

    Signals:
        settled: Widths or folding changed and have been left alone for a moment.
    """

    settled = Signal()

    def __init__(
        self, sidebar: QWidget, centre: QWidget, engine: QWidget, strip: EngineStrip
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("panes")
        self.sidebar, self.engine, self.strip = sidebar, engine, strip
        self._layout = WindowLayout()
        self._is_narrow = False
        self._strip_line = hairline()
        middle = QWidget()
        stack = column()
        stack.addWidget(strip)
        stack.addWidget(self._strip_line)
        stack.addWidget(centre, 1)
        middle.setLayout(stack)
        middle.setMinimumWidth(_CENTRE_PX)
        self._pages = centre
        for pane, (least, most) in ((sidebar, _SIDEBAR_PX), (engine, _ENGINE_PX)):
            pane.setMinimumWidth(least)
            theme.size(pane, "MaximumWidth", most)
        for part in (sidebar, middle, engine):
            self.addWidget(part)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(1)
        self.setStretchFactor(1, 1)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self.settled)
        self.splitterMoved.connect(lambda _at, _which: self._settle.start())

        theme.signals().changed.connect(self._on_theme_changed)

    def _on_theme_changed(self) -> None:
        # With larger text a window is narrow sooner.
        self.fit(self.width())

    def _set_least(self, width_px: int) -> None:
        """Give the outer panes what their text needs, as far as the centre leaves it."""
        left = width_px - self._least_centre(width_px) - 2 * self.handleWidth()
        for pane, (least, _) in ((self.sidebar, _SIDEBAR_PX), (self.engine, _ENGINE_PX)):
            pane.setMinimumWidth(max(least, min(_grown(least), left)))

    def _least_centre(self, width_px: int) -> int:
        # Without the strip, which is there when the engine is not.
        least = max(_CENTRE_PX, self._pages.minimumSizeHint().width())
        return max(least, min(_grown(_CENTRE_PX), width_px // 2))

    def apply(self, layout: WindowLayout, width_px: int) -> None:
        """Take over a remembered layout in a window of a width."""
        self._layout = layout
        self._set_least(width_px)
        self._is_narrow = width_px < _grown(NARROW_PX)
        self.sidebar.setVisible(layout.sidebar_shown and not self._is_narrow)
        self.engine.setVisible(layout.engine_shown and not self._is_narrow)
        self._show_strip()
        sides = layout.sidebar_px, layout.engine_px
        self.setSizes([sides[0], max(_grown(_CENTRE_PX), width_px - sum(sides)), sides[1]])

    def fit(self, width_px: int) -> None:
        """Fold or unfold when the window becomes narrow or wide."""
        self._set_least(width_px)
        if (width_px < _grown(NARROW_PX)) != self._is_narrow:
            self.apply(self._layout, width_px)
        if self.isVisible():
            self._settle.start()

    def show_pane(self, pane: QWidget, *, shown: bool = True) -> None:
        """Show or fold one of the outer panes."""
        self._set_least(self.width())
        pane.setVisible(shown)
        if shown and self._needed() > self.width():
            # What was asked for last stays.
            (self.sidebar if pane is self.engine else self.engine).hide()
        self._show_strip()
        if not self._is_narrow:
            self._layout = self.measured(self._layout.geometry_bytes())
            self._settle.start()

    def _needed(self) -> int:
        outer = (pane for pane in (self.sidebar, self.engine) if not pane.isHidden())
        return self._least_centre(self.width()) + sum(
            max(pane.minimumWidth(), pane.minimumSizeHint().width()) for pane in outer
        )

    def toggle(self, pane: QWidget) -> None:
        """Fold a pane, or bring it back."""
        self.show_pane(pane, shown=pane.isHidden())

    def measured(self, geometry: bytes) -> WindowLayout:
        """The layout as it stands; what a narrow window folds does not count."""
        self._settle.stop()
        old, sizes = self._layout, self.sizes()
        narrow = self._is_narrow
        self._layout = WindowLayout(
            geometry=base64.b64encode(geometry).decode(),
            sidebar_px=old.sidebar_px if narrow else sizes[0] or old.sidebar_px,
            engine_px=old.engine_px if narrow else sizes[2] or old.engine_px,
            sidebar_shown=old.sidebar_shown if narrow else not self.sidebar.isHidden(),
            engine_shown=old.engine_shown if narrow else not self.engine.isHidden(),
        )
        return self._layout

    def _show_strip(self) -> None:
        folded = self.engine.isHidden()
        self.strip.setVisible(folded)
        self._strip_line.setVisible(folded)
