"""The pages of the window, at the foot of the sidebar."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QWidget

from widgets import theme
from widgets.parts import button, row


class PageSwitcher(QWidget):
    """One segment per page that exists.

    Signals:
        page_requested: The key of the page.
    """

    page_requested = Signal(str)

    def __init__(self, pages: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.setObjectName("page_switcher")
        self.setAccessibleName(self.tr("Pages"))
        self._group = QButtonGroup(self)
        self._keys = [key for key, _title in pages]
        line = row(theme.SPACE.xs)
        for at, (key, title) in enumerate(pages):
            made = button(title, f"page_{key}", "segment")
            made.setCheckable(True)
            made.setToolTip(f"Ctrl+{at + 1}")
            made.clicked.connect(lambda _checked=False, to=key: self.page_requested.emit(to))
            self._group.addButton(made, at)
            line.addWidget(made)
        line.addStretch(1)
        self.setLayout(line)

    def show_page(self, key: str) -> None:
        """Mark the page that is shown, without reporting it."""
        self._group.button(self._keys.index(key)).setChecked(True)
