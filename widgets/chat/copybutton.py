"""The Copy button of a code block, which says for a moment that it has done it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QToolButton

from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_SAID_MS: Final = 1500


class CodeCopyButton(QToolButton):
    """Owned by the body whose code it copies."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "quiet")
        self.setObjectName("codeCopy")
        self.setText(self.tr("Copy"))
        self.setAccessibleName(self.tr("Copy code"))
        self.setFont(theme.font("meta"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._back = QTimer(self, singleShot=True, interval=_SAID_MS)
        self._back.timeout.connect(lambda: self.setText(self.tr("Copy")))

    def say_copied(self) -> None:
        """Confirm."""
        self.setText(self.tr("Copied"))
        self._back.start()
