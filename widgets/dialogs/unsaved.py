"""Asked before the window closes with words that are nowhere but in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit

from widgets import theme
from widgets.dialogs.base import Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QWidget


class Unsaved(Sheet):
    """The words, to be read and copied. `accepted` gives them up; Esc and Enter both stay."""

    def __init__(self, parent: QWidget | None, title: str, text: str, words: Sequence[str]) -> None:
        super().__init__(parent, "unsaved", title, text)
        self.resize(560, 380)
        self._words = QPlainTextEdit("\n\n".join(words))
        self._words.setObjectName("unsaved_words")
        self._words.setAccessibleName(self.tr("What is not saved"))
        self._words.setReadOnly(True)
        self._words.setTabChangesFocus(True)
        self.body.addWidget(self._words, 1)
        theme.size(self._words, "MinimumHeight", 120)
        self.copy = self.add_button(self.tr("Copy"), "unsaved_copy")
        self.foot.addStretch(1)
        self.give_up = self.add_button(self.tr("Close anyway"), "unsaved_close", "danger")
        self.stay = self.add_button(self.tr("Stay"), "unsaved_stay", "primary")
        self.copy.clicked.connect(self._on_copy)
        self.give_up.clicked.connect(self.accept)
        self.stay.clicked.connect(self.reject)
        self.stay.setDefault(True)
        self.stay.setFocus()

    def words(self) -> str:
        """The text that is copied."""
        return self._words.toPlainText()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.words())
        self.copy.setText(self.tr("Copied"))
