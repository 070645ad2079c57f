"""The frame of every dialog: title, text, content, and its buttons in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout

from widgets import theme
from widgets.parts import button, column, label, row

if TYPE_CHECKING:
    from PySide6.QtWidgets import QPushButton, QWidget

    from widgets.parts import Kind


class Sheet(QDialog):
    """A dialog with a heading; content goes into `body`, buttons into `foot`. Main thread."""

    def __init__(self, parent: QWidget | None, name: str, title: str, text: str = "") -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setWindowTitle(title)
        self.body: QVBoxLayout = column(theme.SPACE.m)
        self.foot: QHBoxLayout = row(theme.SPACE.s)
        whole = column(theme.SPACE.m, (theme.SPACE.xl, 20, theme.SPACE.xl, 20))
        self.heading = label(title, "title")
        whole.addWidget(self.heading)
        if text:
            words = label(text, "body", "dim", wrap=True)
            whole.addWidget(words)
        whole.addLayout(self.body, 1)
        whole.addLayout(self.foot)
        self.setLayout(whole)

    def add_button(self, text: str, name: str, kind: Kind = "") -> QPushButton:
        """Append a button to the foot."""
        made = button(text, name, kind)
        theme.size(made, "MinimumWidth", 88)
        self.foot.addWidget(made)
        return made
