"""A page with a panel at its right that comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget

from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

_BOTH_PX: Final = 680
_PANEL_PX: Final = 340


class Beside(QSplitter):
    """Shows a page, and a panel beside it on demand; the panel alone in a narrow place.

    Main thread.
    """

    def __init__(self, page: QWidget, name: str) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName(name)
        self._page = page
        self._panel: QWidget | None = None
        self.addWidget(page)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(1)
        self.setStretchFactor(0, 1)

    def hold(self, panel: QWidget) -> None:
        """Have this panel; it is not shown yet."""
        # Hidden first: the splitter would show what comes in.
        panel.hide()
        self._panel = panel
        self.addWidget(panel)

    @property
    def is_open(self) -> bool:
        """Whether the panel is there."""
        return self._panel is not None and not self._panel.isHidden()

    def set_open(self, *, shown: bool) -> None:
        """Bring the panel, or take it away."""
        if self._panel is None:
            return
        if shown and not self.is_open:
            self.setSizes([max(0, self.width() - theme.px(_PANEL_PX)), theme.px(_PANEL_PX)])
        self._panel.setVisible(shown)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit to the new size."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self._page.setVisible(not self.is_open or self.width() >= theme.px(_BOTH_PX))
