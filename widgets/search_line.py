"""The search field that lists and forms share: a glass, a clear button, a name for each."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLineEdit, QToolButton

from widgets import icons, theme
from widgets.parts import named


class SearchLine(QLineEdit):
    """A line edit that looks like a search. Its signals are those of `QLineEdit`."""

    def __init__(self, name: str, accessible: str, placeholder: str = "") -> None:
        super().__init__()
        named(self, name, accessible)
        self.setFont(theme.font("body"))
        self.setPlaceholderText(placeholder or accessible)
        self.setClearButtonEnabled(True)
        glass = QAction(self)
        icons.bind(glass, "search")
        self.addAction(glass, QLineEdit.ActionPosition.LeadingPosition)
        for at, button in enumerate(self.findChildren(QToolButton)):
            named(button, f"{name}_button_{at}", self.tr("Clear") if at == 0 else accessible)
