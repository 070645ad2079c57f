"""A sentence to be read before anything else, where no window is open yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets import theme
from widgets.dialogs.base import Sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class Message(Sheet):
    """One sentence and Close. Enter and Esc close it."""

    def __init__(self, parent: QWidget | None, title: str, text: str) -> None:
        super().__init__(parent, "message", title, text)
        theme.size(self, "MinimumWidth", 400)
        self.foot.addStretch(1)
        close = self.add_button(self.tr("Close"), "message_close", "primary")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        close.setFocus()
