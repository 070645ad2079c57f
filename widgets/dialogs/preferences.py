"""Preferences of the window: the generated form of the application's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Signal

from widgets import theme
from widgets.dialogs.base import Sheet
from widgets.settings.form import SettingsForm

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from engine.settings import AppSettings


class Preferences(Sheet):
    """Changes count at once; there is nothing to confirm.

    Signals:
        edited: The `AppSettings` after a change.
    """

    edited = Signal(object)

    @classmethod
    def title(cls) -> str:
        """What the window is called."""
        return QCoreApplication.translate("Dialogs", "Preferences")

    def __init__(self, parent: QWidget | None, values: AppSettings) -> None:
        super().__init__(parent, "preferences", self.title())
        self.resize(max(560, theme.px(560)), 520)
        theme.size(self, "MinimumWidth", 420)
        self.form = SettingsForm(values)
        self.form.edited.connect(self.edited)
        self.body.addWidget(self.form, 1)
        self.foot.addStretch(1)
        close = self.add_button(self.tr("Close"), "preferences_close")
        close.clicked.connect(self.accept)
        close.setDefault(True)
