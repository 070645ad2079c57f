"""Asks for a name: a folder, a profile, an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit

from widgets.dialogs.base import Sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class NameDialog(Sheet):
    """One line to fill in; opened with `open()`.

    Signals:
        named: The name, without blanks around it.
    """

    named = Signal(str)

    def __init__(
        self, parent: QWidget | None, title: str, act: str, *, text: str = "", name: str = ""
    ) -> None:
        super().__init__(parent, "name_dialog", title, text)
        self.setMinimumWidth(360)
        self.line = QLineEdit(name)
        self.line.setObjectName("name_line")
        self.line.setAccessibleName(title)
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
        self.act.setEnabled(bool(text.strip()))

    def _on_accept(self) -> None:
        self.named.emit(self.line.text().strip())
        self.accept()
