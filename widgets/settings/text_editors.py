"""Editors for text: one line, a long text, a file, a list of folders, texts with commas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from engine.errors import UserError
from engine.settings import Form, Kind
from engine.settings.options import parsed
from widgets import file_dialogs, theme
from widgets.parts import ElidedLabel, button, column, icon_button, restyle, row
from widgets.settings.editors import (
    ChoiceEditor,
    FieldEditor,
    FlagEditor,
    NumberEditor,
    SharesEditor,
    SliderEditor,
)

if TYPE_CHECKING:
    from engine.settings import SettingInfo

_TYPING_PAUSE_MS = 400


class LineEditor(FieldEditor):
    """One line; lists are written with commas."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._line = QLineEdit()
        self._line.setObjectName(f"setting_{info.name}")
        self._line.setAccessibleName(info.title)
        self._line.setFont(theme.font("body"))
        self._line.setPlaceholderText(info.special or self.tr("none"))
        self._line.editingFinished.connect(self._on_editing_finished)
        self._shown = ""
        self._layout = row(theme.SPACE.xs)
        self._layout.addWidget(self._line, 1)
        self.setLayout(self._layout)
        self.setFocusProxy(self._line)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show a text or a list."""
        parts = value if isinstance(value, tuple) else (value,)
        self._shown = ",".join(str(part).replace("\n", "\\n") for part in parts)
        if self._line.text() != self._shown:
            self._line.setText(self._shown)
            self._line.setCursorPosition(0)
        restyle(self._line, "tone", "")
        self._line.setToolTip(self._shown)

    def _on_editing_finished(self) -> None:
        text = self._line.text()
        # A long one shows its beginning: its end alone says nothing.
        self._line.setCursorPosition(0)
        if text == self._shown:
            return
        try:
            value = parsed(self.info, text)
        except UserError as error:
            restyle(self._line, "tone", "bad")
            self._line.setToolTip(f"{error.message} {error.fix}")
            return
        self._shown = text
        self.edited.emit(value)


class FileEditor(LineEditor):
    """A path with a button that browses for it."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        tip = self.tr("Choose a file: {title}").format(title=info.title)
        browse = icon_button("folder", f"setting_{info.name}_browse", tip)
        browse.clicked.connect(self._on_browse)
        self._layout.addWidget(browse)

    def _on_browse(self) -> None:
        purpose, near = file_dialogs.Purpose.MODELS, self._line.text()
        if path := file_dialogs.open_file(self, self.info.title, purpose, near=near):
            self._line.setText(path)
            self._on_editing_finished()


class LongTextEditor(FieldEditor):
    """Several lines; reported when typing pauses and when the focus leaves."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._text = QPlainTextEdit()
        self._text.setObjectName(f"setting_{info.name}")
        self._text.setAccessibleName(info.title)
        self._text.setFont(theme.font("body"))
        self._text.setTabChangesFocus(True)
        theme.size(self._text, "FixedHeight", 84)
        self._text.setPlaceholderText(self.tr("none"))
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_TYPING_PAUSE_MS)
        self._pause.timeout.connect(lambda: self.edited.emit(self._text.toPlainText()))
        self._text.textChanged.connect(self._pause.start)
        line = row()
        line.addWidget(self._text)
        self.setLayout(line)
        self.setFocusProxy(self._text)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show a text; leaves the caret alone when nothing changed."""
        if self._text.toPlainText() != value and not self._pause.isActive():
            self._text.blockSignals(True)
            self._text.setPlainText(value)
            self._text.blockSignals(False)


class FolderLine(QWidget):
    """One folder of the list."""

    def __init__(self, folder: str, setting: str) -> None:
        super().__init__()
        tip = self.tr("Remove {folder}").format(folder=folder)
        self.removed = icon_button("close", f"setting_{setting}_remove", tip)
        line = row(theme.SPACE.xs)
        line.addWidget(ElidedLabel(folder, "meta"), 1)
        line.addWidget(self.removed)
        self.setLayout(line)


class FoldersEditor(FieldEditor):
    """A list of folders, each with a button that takes it out."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._folders: tuple[str, ...] = ()
        self._list = column(theme.SPACE.xs)
        add = button(self.tr("Add a folder"), f"setting_{info.name}_add")
        add.clicked.connect(self._on_add)
        whole = column(theme.SPACE.s)
        whole.addLayout(self._list)
        whole.addWidget(add, 0, Qt.AlignmentFlag.AlignLeft)
        self.setLayout(whole)
        self.setFocusProxy(add)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show folders."""
        if tuple(value) == self._folders:
            return
        self._folders = tuple(value)
        while (taken := self._list.takeAt(0)) is not None:
            held = taken.widget()
            if held is not None:
                held.deleteLater()
        for folder in self._folders:
            self._list.addWidget(self._line_for(folder))

    def _line_for(self, folder: str) -> FolderLine:
        line = FolderLine(folder, self.info.name)
        line.removed.clicked.connect(lambda: self._remove(folder))
        return line

    def _on_add(self) -> None:
        folder = file_dialogs.choose_folder(self, self.info.title, file_dialogs.Purpose.MODELS)
        if folder and folder not in self._folders:
            self._report((*self._folders, folder))

    def _remove(self, folder: str) -> None:
        self._report(tuple(kept for kept in self._folders if kept != folder))

    def _report(self, folders: tuple[str, ...]) -> None:
        self.set_value(folders)
        self.edited.emit(folders)


def editor_for(info: SettingInfo, prefix: str = "") -> FieldEditor:
    """The editor that a declaration asks for.

    Args:
        info: The declared setting.
        prefix: Written before each choice where two settings share a row, e.g. ``K``.
    """
    if info.form is Form.SLIDER:
        return SliderEditor(info)
    if info.form is Form.FOLDERS:
        return FoldersEditor(info)
    if info.form is Form.LONG_TEXT:
        return LongTextEditor(info)
    if info.form in (Form.FILE, Form.MODEL):
        return FileEditor(info)
    match info.kind:
        case Kind.FLAG:
            return FlagEditor(info)
        case Kind.CHOICE:
            return ChoiceEditor(info, prefix)
        case Kind.INTEGER | Kind.NUMBER:
            return NumberEditor(info)
        case Kind.INTEGERS:
            return SharesEditor(info)
        case _:
            return LineEditor(info)
