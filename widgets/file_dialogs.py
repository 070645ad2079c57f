"""The system's dialogs for files: each begins where the last of its kind ended.

Qt would begin in the folder that the program was started from.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QStandardPaths
from PySide6.QtWidgets import QApplication, QFileDialog

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class Purpose(StrEnum):
    """What is looked for; models lie elsewhere than documents."""

    MODELS = "models"
    DOCUMENTS = "documents"
    EXPORTS = "exports"


def open_file(
    parent: QWidget, title: str, purpose: Purpose, filters: str = "", near: str = ""
) -> str:
    """Let the user choose a file; empty when there was none.

    Args:
        parent: The window it belongs to.
        title: What is to be chosen.
        purpose: Whose last folder it begins in.
        filters: Endings, as Qt writes them.
        near: A file in whose folder it begins instead.
    """
    path, _filter = QFileDialog.getOpenFileName(parent, title, folder_for(purpose, near), filters)
    return _remember(purpose, path)


def open_files(parent: QWidget, title: str, purpose: Purpose, filters: str = "") -> list[str]:
    """Let the user choose files."""
    paths, _filter = QFileDialog.getOpenFileNames(parent, title, folder_for(purpose), filters)
    if paths:
        _remember(purpose, paths[0])
    return paths


def save_file(parent: QWidget, title: str, name: str, filters: str = "") -> str:
    """Let the user choose where to write a file of this name; empty when nowhere."""
    begin = str(Path(folder_for(Purpose.EXPORTS)) / name)
    path, _filter = QFileDialog.getSaveFileName(parent, title, begin, filters)
    return _remember(Purpose.EXPORTS, path)


def choose_folder(parent: QWidget, title: str, purpose: Purpose) -> str:
    """Let the user choose a folder; empty when there was none."""
    folder = QFileDialog.getExistingDirectory(parent, title, folder_for(purpose))
    if folder:
        _application().setProperty(_name(purpose), folder)
    return folder


def folder_for(purpose: Purpose, near: str = "") -> str:
    """Where a dialog begins. A folder that is not there would become the name of a file."""
    last = _application().property(_name(purpose))
    documents = QStandardPaths.standardLocations(QStandardPaths.StandardLocation.DocumentsLocation)
    # Models are seldom among the documents.
    usual = [] if purpose is Purpose.MODELS else documents
    wanted = [str(Path(near).parent) if near else "", last or "", *usual]
    return next((one for one in wanted if one and Path(one).is_dir()), str(Path.home()))


def _remember(purpose: Purpose, path: str) -> str:
    if path:
        _application().setProperty(_name(purpose), str(Path(path).parent))
    return path


def _name(purpose: Purpose) -> str:
    return f"last_folder_of_{purpose}"


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application
