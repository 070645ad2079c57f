"""The one timer that repaints every live instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_MS: Final = 100


class RepaintTick(QObject):
    """Ticks at 10 Hz on the main thread while the window can be seen.

    Instruments keep the newest data they were given and repaint in the slot they connect to
    `ticked`, so that no amount of telemetry makes more than ten repaints a second.

    Signals:
        ticked: Time to repaint.
        visible_changed: Whether the window can be seen now; what only serves the eye rests else.
    """

    ticked = Signal()
    visible_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.ticked)

    def drives(self, repaint: Callable[[], None]) -> None:
        """Call a slot on each tick."""
        self.ticked.connect(repaint)

    def set_visible(self, visible: bool) -> None:
        """Run while the window is on screen, pause when it is hidden or minimised."""
        if visible == self.is_running:
            return
        if visible:
            self._timer.start()
        else:
            self._timer.stop()
        self.visible_changed.emit(visible)

    @property
    def is_running(self) -> bool:
        """Whether instruments are being repainted."""
        return self._timer.isActive()
