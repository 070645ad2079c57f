"""Gives the keyboard back to the input when what had it vanishes from the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class FocusReturn(QObject):
    """Qt would hand it to whatever comes next in the window, often the search. Main thread.

    Args:
        area: Where things vanish: an edited message, a button of a reply that is written again.
        home: What takes the keyboard then.
    """

    def __init__(self, area: QWidget, home: QWidget) -> None:
        super().__init__(area)
        self._area = area
        self._home = home
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, old: QWidget | None, now: QWidget | None) -> None:
        if old is None or now is None or not self._area.isAncestorOf(old):
            return
        has_vanished = not old.isVisibleTo(self._area)
        if has_vanished and self._area.isVisible() and not self._area.isAncestorOf(now):
            self._home.setFocus()
