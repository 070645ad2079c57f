"""Asks for a name: a folder, a profile, an address; or for a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit

from widgets import theme
from widgets.dialogs.base import Sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class NameDialog(Sheet):
    """One line to fill in; opened with `open()`.

    Args:
        name: What stands in the line at first.
        is_secret: A password: shown as dots, and its blanks count.

    Signals:
        named: The name, without blanks around it.
    """

    named = Signal(str)

    def __init__(
        self,
        parent: QWidget | None,
        title: str,
        act: str,
        *,
        text: str = "",
        name: str = "",
        is_secret: bool = False,
    ) -> None:
        super().__init__(parent, "name_dialog", title, text)
        theme.size(self, "MinimumWidth", 360)
        self.line = QLineEdit(name)
        self.line.setObjectName("name_line")
        self.line.setAccessibleName(title)
        self._is_secret = is_secret
        if is_secret:
            self.line.setEchoMode(QLineEdit.EchoMode.Password)
        self.line.selectAll()
        self.body.addWidget(self.line)
        self.foot.addStretch(1)
        cancel = self.add_button(self.tr("Cancel"), "name_cancel")
        self.act = self.add_button(act, "name_accept", "primary")
        self.act.setDefault(True)
        cancel.clicked.connect(self.reject)
        self.act.clicked.connect(self._on_accept)
        self.line.textChanged.connect(self._on_text)
        self._on_text(name)
        self.line.setFocus()

    def _on_text(self, text: str) -> None:
        self.act.setEnabled(bool(text if self._is_secret else text.strip()))

    def _on_accept(self) -> None:
        text = self.line.text()
        self.named.emit(text if self._is_secret else text.strip())
        self.accept()
