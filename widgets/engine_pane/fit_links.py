"""Lets the engine choose the settings: longest context, fastest, best quality."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from widgets import theme
from widgets.parts import button, label
from widgets.wrapping import FlowLayout


class FitLinks(QWidget):
    """Three links that let the engine choose: longest context, fastest, best quality.

    Signals:
        requested: The goal.
    """

    requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        line = FlowLayout(0)
        line.addWidget(label(self.tr("Fit:"), "label", "faint", strong=True))
        for goal, words, tip in (
            ("context", self.tr("longest"), self.tr("Fit the longest context")),
            ("speed", self.tr("fastest"), self.tr("Fit for speed")),
            ("quality", self.tr("best"), self.tr("Fit the best quality at this context")),
        ):
            link = button(words, f"fit_{goal}", "link", accessible=tip)
            link.setToolTip(tip)
            link.setFont(theme.font("label", strong=True))
            link.clicked.connect(lambda _checked=False, to=goal: self.requested.emit(to))
            line.addWidget(link)
        self.setLayout(line)
        self.setEnabled(False)
