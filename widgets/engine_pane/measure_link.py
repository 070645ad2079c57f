"""The way to the measurement of the best values; it says why it is closed."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from widgets import theme
from widgets.parts import named


class MeasureLink(QPushButton):
    """A link that is on while there is something to measure and nothing in the way."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setText(self.tr("Measure …"))
        self._tip = self.tr(
            "Measure which micro-batch and thread counts are best on this computer, and keep them "
            "for the model"
        )
        named(self, name, self.tr("Measure the best values"))
        self.setProperty("kind", "link")
        self.setFont(theme.font("label", strong=True))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.set_reason("")

    def set_reason(self, reason: str) -> None:
        """Switch it off with a reason; none switches it on."""
        self.setEnabled(not reason)
        # Rich text wraps in a tooltip, plain text does not.
        self.setToolTip(f"<qt>{reason or self._tip}</qt>")
        self.setAccessibleDescription(reason or self._tip)
