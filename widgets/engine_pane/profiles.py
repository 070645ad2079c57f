"""Saved settings of the chosen model: choose, save under a name, delete."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from widgets import icons, theme
from widgets.dialogs.name import NameDialog
from widgets.engine_pane.viewdata import ProfilesView
from widgets.parts import button, row

_NAME_PX: Final = 120


class Profiles(QWidget):
    """A button that names the profile in use and opens the list.

    Signals:
        chosen: The name of a profile to take over.
        save_requested: The name to save the settings under.
        delete_requested: The name of a profile to delete.
    """

    chosen = Signal(str)
    save_requested = Signal(str)
    delete_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._view = ProfilesView()
        self.open = button("", "profiles_open", "quiet")
        self.open.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        icons.bind(self.open, "chevron-down", "dim", 12)
        self.open.clicked.connect(self._on_open)
        line = row()
        # It does not stretch; "left" alone would be right for a button that is mirrored.
        at_left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignAbsolute
        line.addWidget(self.open, 0, at_left)
        self.setLayout(line)
        self.set_view(self._view)
        theme.signals().changed.connect(self._shorten)

    def set_view(self, view: ProfilesView) -> None:
        """Show which profile is in use."""
        self._view = view
        words = view.chosen or self.tr("Profile")
        self.open.setAccessibleName(self.tr("Profile: {name}").format(name=words))
        self._shorten()

    def _shorten(self) -> None:
        """Whatever a profile is called, it takes no more of the pane than there is."""
        whole = self._view.chosen or self.tr("Profile")
        room = theme.px(_NAME_PX)
        shown = self.open.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, room)
        self.open.setText(shown)
        self.open.setToolTip(whole if shown != whole else "")

    def _on_open(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in self._view.names:
            act = menu.addAction(name, partial(self.chosen.emit, name))
            act.setCheckable(True)
            act.setChecked(name == self._view.chosen)
        if self._view.names:
            menu.addSeparator()
        menu.addAction(self.tr("Save as …"), self._on_save)
        if self._view.chosen:
            menu.addAction(
                self.tr("Delete “{name}”").format(name=self._view.chosen),
                lambda: self.delete_requested.emit(self._view.chosen),
            )
        menu.popup(self.open.mapToGlobal(QPoint(0, self.open.height())))

    def _on_save(self) -> None:
        asked = NameDialog(
            self, self.tr("Save as a profile"), self.tr("Save"), name=self._view.chosen
        )
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.named.connect(self.save_requested)
        asked.open()
