"""Where the dialogs for files begin, with Qt's own dialog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFileDialog, QWidget

from widgets.file_dialogs import Purpose, choose_folder, folder_for, open_file, save_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot


@pytest.fixture
def application(qapp: QApplication) -> Iterator[QApplication]:
    # Other tests of this process choose files, too.
    _forget(qapp)
    yield qapp
    _forget(qapp)


def _forget(application: QApplication) -> None:
    for purpose in Purpose:
        application.setProperty(f"last_folder_of_{purpose}", None)


@pytest.fixture
def parent(qtbot: QtBot, application: QApplication) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def _choose(application: QApplication, path: Path) -> list[Path]:
    """Choose a path in the next dialog; where that one began."""
    began: list[Path] = []

    def act() -> None:
        dialog = application.activeModalWidget()
        assert isinstance(dialog, QFileDialog)
        began.append(Path(dialog.directory().absolutePath()))
        dialog.selectFile(str(path))
        dialog.done(QFileDialog.DialogCode.Accepted)

    QTimer.singleShot(0, application, act)
    return began


def test_a_dialog_begins_where_the_last_of_its_kind_ended(
    application: QApplication, parent: QWidget, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "one.gguf").touch()
    began = _choose(application, models / "one.gguf")
    assert Path(open_file(parent, "Model", Purpose.MODELS)) == models / "one.gguf"
    assert began == [Path.home()]
    assert folder_for(Purpose.MODELS) == str(models)
    assert folder_for(Purpose.EXPORTS) != str(models)
    began = _choose(application, tmp_path / "log.txt")
    assert Path(save_file(parent, "Log", "log.txt")) == tmp_path / "log.txt"
    assert began == [Path(folder_for(Purpose.DOCUMENTS))]
    assert folder_for(Purpose.EXPORTS) == str(tmp_path)
    began = _choose(application, models)
    assert Path(choose_folder(parent, "Folder", Purpose.MODELS)) == models
    assert began == [models]


def test_a_folder_that_is_gone_is_not_begun_in(
    application: QApplication, parent: QWidget, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    _choose(application, gone / "chat.md")
    save_file(parent, "Chat", "chat.md")
    assert folder_for(Purpose.EXPORTS) == str(gone)
    gone.rmdir()
    assert Path(folder_for(Purpose.EXPORTS)).is_dir()
    assert folder_for(Purpose.MODELS, near=str(tmp_path / "x.gguf")) == str(tmp_path)
