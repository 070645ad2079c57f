"""The context menu of a chat."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu

from widgets import icons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QWidget

    from widgets.sidebar.viewdata import ChatItemView


class ChatMenu(QMenu):
    """Rename, pin, move, export, import, delete. Goes when it is closed.

    Signals:
        rename_requested: The id.
        pin_changed: (id, pinned).
        folder_changed: (id, folder or empty).
        new_folder_requested: The id; the folder's name is still to be asked for.
        export_requested: (id, ``markdown`` or ``json``).
        import_requested: Files with chats are to be chosen.
        delete_requested: The id.
    """

    rename_requested = Signal(str)
    pin_changed = Signal(str, bool)
    folder_changed = Signal(str, str)
    new_folder_requested = Signal(str)
    export_requested = Signal(str, str)
    import_requested = Signal()
    delete_requested = Signal(str)

    def __init__(self, parent: QWidget, chat: ChatItemView, folders: Sequence[str]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._chat = chat
        rename = self.addAction(
            icons.icon("edit"), self.tr("Rename"), partial(self.rename_requested.emit, chat.id)
        )
        rename.setShortcut(QKeySequence("F2"))
        self.addAction(
            icons.icon("unpin" if chat.is_pinned else "pin"),
            self.tr("Unpin") if chat.is_pinned else self.tr("Pin"),
            partial(self.pin_changed.emit, chat.id, not chat.is_pinned),
        )
        self.addMenu(self._folder_menu(folders))
        export = self.addMenu(icons.icon("export"), self.tr("Export"))
        for words, kind in (("Markdown", "markdown"), ("JSON", "json")):
            export.addAction(words, partial(self.export_requested.emit, chat.id, kind))
        self.addAction(
            icons.icon("download"), self.tr("Import chats …"), self.import_requested.emit
        ).setShortcut(QKeySequence("Ctrl+Shift+I"))
        self.addSeparator()
        delete = self.addAction(
            icons.icon("trash", "bad"),
            self.tr("Delete"),
            partial(self.delete_requested.emit, chat.id),
        )
        delete.setShortcut(QKeySequence("Del"))

    def _folder_menu(self, folders: Sequence[str]) -> QMenu:
        menu = QMenu(self.tr("Folder"), self)
        menu.setIcon(icons.icon("folder"))
        for folder in folders:
            act = menu.addAction(folder, partial(self.folder_changed.emit, self._chat.id, folder))
            act.setCheckable(True)
            act.setChecked(folder == self._chat.folder)
        if self._chat.folder:
            menu.addAction(
                self.tr("No folder"), partial(self.folder_changed.emit, self._chat.id, "")
            )
        menu.addSeparator()
        menu.addAction(
            self.tr("New folder …"), partial(self.new_folder_requested.emit, self._chat.id)
        )
        return menu
