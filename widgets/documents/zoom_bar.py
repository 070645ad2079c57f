"""How large a page is shown, and the buttons that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from widgets import parts, theme

if TYPE_CHECKING:
    from widgets.documents.page_picture import PagePicture


class ZoomBar(QWidget):
    """Works the picture it is given, and says its size. Main thread."""

    def __init__(self, picture: PagePicture) -> None:
        super().__init__()
        self.smaller = parts.icon_button("minus", "zoomOut", self.tr("Smaller (Ctrl+-)"))
        self.larger = parts.icon_button("plus", "zoomIn", self.tr("Larger (Ctrl++)"))
        self.percent = parts.label("", "meta", "dim")
        self.percent.setObjectName("zoomPercent")
        self.percent.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme.size(self.percent, "FixedWidth", 46)
        self.fit = parts.button(self.tr("Fit width"), "zoomFit", "quiet")
        self.fit.setToolTip(self.tr("As wide as there is room (Ctrl+0)"))
        self.own = parts.button(self.tr("100 %"), "zoomOwn", "quiet")
        self.own.setToolTip(self.tr("The page's own size (Ctrl+1)"))
        line = parts.row(theme.SPACE.xs)
        for widget in (self.smaller, self.percent, self.larger, self.fit, self.own):
            line.addWidget(widget)
        line.addStretch(1)
        self.setLayout(line)
        self._connect(picture)

    def _connect(self, picture: PagePicture) -> None:
        self.smaller.clicked.connect(lambda: picture.step(-1))
        self.larger.clicked.connect(lambda: picture.step(1))
        self.fit.clicked.connect(picture.fit_width)
        self.own.clicked.connect(lambda: picture.zoom_to(100))
        picture.zoomed.connect(self._on_zoomed)

    def add_keys(self, window: QWidget, picture: PagePicture) -> None:
        """Let the keys for it work in the whole window."""
        for keys, act in (
            ("Ctrl++", lambda: picture.step(1)),
            # The same key without Shift.
            ("Ctrl+=", lambda: picture.step(1)),
            ("Ctrl+-", lambda: picture.step(-1)),
            ("Ctrl+0", picture.fit_width),
            ("Ctrl+1", lambda: picture.zoom_to(100)),
        ):
            QShortcut(QKeySequence(keys), window).activated.connect(act)

    def _on_zoomed(self, percent: float, fills_width: bool) -> None:
        self.percent.setText(self.tr("{n:.0f} %").format(n=percent))
        # Which of the two is on is said by a tone, and by the figure beside them.
        parts.restyle(self.fit, "tone", "accent" if fills_width else "")
        is_own = not fills_width and round(percent) == 100
        parts.restyle(self.own, "tone", "accent" if is_own else "")
