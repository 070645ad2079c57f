"""The pill that goes back to the end of a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from widgets import icons, parts, theme

if TYPE_CHECKING:
    from PySide6.QtCore import QSize
    from PySide6.QtWidgets import QWidget


class JumpPill(QPushButton):
    """Owned by the transcript; shown while it does not follow the end."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setText(self.tr("Jump to latest"))
        self.setFont(theme.font("meta"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        icons.bind(self, "arrow-down", "dim")
        parts.named(self, "jumpToLatest", self.tr("Jump to latest"))
        self.hide()

    def set_shown(self, shown: bool) -> None:
        """Show or hide."""
        if shown == self.isHidden():
            self.setVisible(shown)
            self.raise_()

    def follow(self, size: QSize) -> None:
        """Stand at the bottom, in the middle."""
        hint = self.sizeHint()
        self.setGeometry(
            (size.width() - hint.width()) // 2,
            size.height() - hint.height() - 8,
            hint.width(),
            hint.height(),
        )
