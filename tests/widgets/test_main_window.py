"""The window assembles, folds, remembers, and its keys do what the sheet says."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QWidget,
)

from engine.settings import AppSettings
from tests.widgets import frame_states as states
from widgets import theme
from widgets.actions import SPECS, page_specs, shortcut_table
from widgets.dialogs.confirm import Confirm
from widgets.dialogs.crash_report import CrashReport
from widgets.dialogs.log_view import LogView
from widgets.dialogs.name import NameDialog
from widgets.dialogs.shortcuts import ShortcutsHelp
from widgets.main_window import MainWindow
from widgets.models.page import PageDelegate
from widgets.toasts import ToastView
from widgets.window_layout import WindowLayout, decoded, encoded, fit_to_screen

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication) -> MainWindow:
    theme.apply(qapp, "light")
    chat = QPlainTextEdit()
    chat.setObjectName("chat")
    chat.setAccessibleName("Chat")
    made = MainWindow(chat)
    qtbot.addWidget(made)
    states.fill_window(made)
    made.resize(1440, 900)
    made.show()
    QApplication.processEvents()
    return made


def press(window: MainWindow, keys: str) -> None:
    window.activateWindow()
    combination = QKeySequence(keys)[0]  # type: ignore[index]  # the stub lacks it
    QTest.keyClick(window, combination.key(), combination.keyboardModifiers())


def test_no_key_means_two_things() -> None:
    specs = (*SPECS, *page_specs(("Chat", "Lab", "Models")))
    counted = Counter(QKeySequence(keys).toString() for spec in specs for keys in spec.keys)
    assert [keys for keys, count in counted.items() if count > 1] == []
    assert all(QKeySequence(keys).toString() for spec in specs for keys in spec.keys)


def test_every_action_has_a_name_and_its_keys(window: MainWindow) -> None:
    for spec in window.specs:
        if spec.name:
            action = window.actions_by_name[spec.name]
            assert action.objectName() == spec.name
            shown = [keys.toString() for keys in action.shortcuts()]
            assert shown == [QKeySequence(keys).toString() for keys in spec.keys]


def test_the_sheet_and_the_table_hold_every_command(window: MainWindow, qtbot: QtBot) -> None:
    table = shortcut_table(window.specs)
    sheet = ShortcutsHelp(None, window.specs)
    qtbot.addWidget(sheet)
    texts = {label.text() for label in sheet.findChildren(QLabel)}
    for spec in window.specs:
        assert spec.title in table
        assert spec.title in texts


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ("Ctrl+N", "new_chat"),
        ("Ctrl+Shift+O", "new_chat"),
        ("Ctrl+F", "find"),
        ("Ctrl+R", "regenerate"),
        ("Ctrl+Shift+C", "copy_last"),
        ("Ctrl+L", "model_loader"),
        ("F1", "help"),
        ("Ctrl+/", "help"),
    ],
)
def test_keys_trigger_their_action(window: MainWindow, qtbot: QtBot, keys: str, name: str) -> None:
    with qtbot.waitSignal(window.actions_by_name[name].triggered):
        press(window, keys)
    window.engine.picker.close()
    for dialog in window.findChildren(QDialog):
        dialog.close()


def test_escape_is_free_until_something_can_be_stopped(window: MainWindow, qtbot: QtBot) -> None:
    stop = window.actions_by_name["stop"]
    with qtbot.assertNotEmitted(stop.triggered):
        press(window, "Esc")
    window.set_busy(True)
    with qtbot.waitSignal(stop.triggered):
        press(window, "Esc")


def test_pages_switch_by_key_and_by_segment(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.page_shown) as shown:
        press(window, "Ctrl+3")
    assert shown.args == ["models"]
    assert window.models_page.isVisible()
    segment = window.findChild(QPushButton, "page_chat")
    assert segment is not None
    segment.click()
    assert window.page() == "chat"


def test_the_pages_are_named_in_full_in_the_narrowest_sidebar(window: MainWindow) -> None:
    window.panes.setSizes([0, 800, 400])
    for segment in window.sidebar.pages.findChildren(QPushButton):
        assert segment.width() >= segment.sizeHint().width(), segment.text()


def test_choosing_a_chat_returns_to_the_chat_page(window: MainWindow) -> None:
    window.show_page("models")
    window.sidebar.chat_selected.emit("1")
    assert window.page() == "chat"


def test_search_brings_a_folded_sidebar_back(window: MainWindow) -> None:
    press(window, "Ctrl+B")
    assert not window.sidebar.isVisible()
    press(window, "Ctrl+K")
    assert window.sidebar.isVisible()
    assert window.sidebar.search.hasFocus()


def test_a_narrow_window_folds_both_sides_and_nothing_is_cut_off(window: MainWindow) -> None:
    window.resize(1024, 700)
    QApplication.processEvents()
    assert not window.sidebar.isVisible()
    assert not window.engine.isVisible()
    assert window.strip.isVisible()
    assert window.width() == 1024
    window.toggle_engine()
    QApplication.processEvents()
    assert window.engine.isVisible()
    assert window.width() == 1024
    assert not window.strip.isVisible()
    window.resize(1440, 900)
    QApplication.processEvents()
    assert window.sidebar.isVisible()
    assert window.engine.isVisible()


def test_the_layout_is_remembered_to_the_pixel(
    window: MainWindow, qtbot: QtBot, qapp: QApplication
) -> None:
    window.panes.setSizes([300, 760, 380])
    window.toggle_sidebar()
    with qtbot.waitSignal(window.layout_changed) as saved:
        window.close()
    assert saved.args is not None
    again = MainWindow(QPlainTextEdit())
    qtbot.addWidget(again)
    pane = again.engine
    again.restore_layout(saved.args[0])
    again.show()
    # Qt keeps a restored window inside the screen, and the offscreen one is small.
    again.resize(1440, 900)
    QApplication.processEvents()
    assert not again.sidebar.isVisible()
    again.toggle_sidebar()
    QApplication.processEvents()
    layout = decoded(saved.args[0])
    assert abs(pane.width() - layout.engine_px) <= 2
    assert abs(layout.engine_px - 380) <= 2
    again.close()


@pytest.mark.parametrize(("width", "height"), [(720, 480), (900, 600), (1280, 800), (1440, 900)])
@pytest.mark.parametrize("text_px", [10, 20, 28])
def test_no_page_cuts_off_what_is_beside_it_with_text_of_any_size(
    qapp: QApplication, window: MainWindow, text_px: int, width: int, height: int
) -> None:
    for page in ("library", "models", "economics"):
        window.show_page(page)
    try:
        theme.set_text_size(qapp, text_px)
        window.resize(width, height)
        window.panes.show_pane(window.panes.engine)
        QApplication.processEvents()
        scrolled = window.engine.findChild(QScrollArea, "engine_scroll")
        assert scrolled is not None
        inner = scrolled.widget()
        assert inner is not None
        assert inner.width() <= scrolled.viewport().width()
        for part in (window.panes, window.panes.engine, *window._made_pages.values()):
            assert part.minimumSizeHint().width() <= part.width(), part.objectName()
        # The engine folded beside the sidebar: bars that have no room are left out.
        window.panes.show_pane(window.panes.engine, shown=False)
        window.panes.show_pane(window.panes.sidebar)
        QApplication.processEvents()
        parts = [part for part in window.strip.findChildren(QWidget) if part.isVisible()]
        parts.sort(key=lambda part: part.x())
        for left, right in pairwise(parts):
            assert left.geometry().right() < right.x(), (left.objectName(), right.objectName())
        assert parts[-1].objectName() == "strip_open"
        assert parts[-1].geometry().right() < window.strip.width()
    finally:
        theme.set_text_size(qapp, 13)


@pytest.mark.parametrize("damaged", [b"", b"{", b"\x00\xff", b'{"version": 9}', b'{"geometry": 3}'])
def test_a_damaged_layout_is_the_default(damaged: bytes) -> None:
    assert decoded(damaged) == WindowLayout()


def test_a_layout_survives_its_bytes() -> None:
    layout = WindowLayout(geometry="AAEC", sidebar_px=300, engine_shown=False)
    assert decoded(encoded(layout)) == layout
    assert layout.geometry_bytes() == b"\x00\x01\x02"
    assert WindowLayout(geometry="no base64!").geometry_bytes() == b""


def test_instruments_rest_while_the_window_is_hidden(window: MainWindow) -> None:
    assert window.tick.is_running
    window.hide()
    assert not window.tick.is_running
    window.show()
    assert window.tick.is_running


def test_the_theme_action_goes_round(window: MainWindow, qtbot: QtBot) -> None:
    window.set_app_settings(AppSettings(theme="dark"))
    with qtbot.waitSignal(window.theme_chosen) as chosen:
        window.actions_by_name["theme"].trigger()
    assert chosen.args == ["system"]


def test_models_load_from_their_page(window: MainWindow, qtbot: QtBot) -> None:
    window.show_page("models")
    page = window.models_page
    page.search.setText("gemma")
    assert page.list.current_id() == states.MODELS[2].path
    with qtbot.waitSignal(window.engine.model_chosen) as chosen:
        QTest.keyClick(page.list, Qt.Key.Key_Return)
    assert chosen.args == [states.MODELS[2].path]
    page.search.setText("zebra")
    assert page._nothing.isVisible()


def test_the_load_pill_loads(window: MainWindow, qtbot: QtBot) -> None:
    window.show_page("models")
    QApplication.processEvents()
    page = window.models_page
    area = page.list.visualRect(page.list.rows.index_of(states.MODELS[2].path))
    delegate = page.list.itemDelegate()
    assert isinstance(delegate, PageDelegate)
    pill = delegate.pill(area.adjusted(8, 0, -8, 0))
    with qtbot.waitSignal(page.load_requested) as loaded:
        QTest.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, pos=pill.center())
    assert loaded.args == [states.MODELS[2].path]


def test_every_reachable_widget_has_a_name(window: MainWindow) -> None:
    for widget in QApplication.allWidgets():
        inside = widget.window() is window and widget.isVisible()
        if inside and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            assert widget.objectName() or widget.focusProxy(), widget
            assert widget.accessibleName(), (widget.objectName(), widget.parent())


# ---- messages and dialogs ------------------------------------------------------------------------


def test_undo_is_offered_and_expires(window: MainWindow, qtbot: QtBot) -> None:
    toasts = window.toasts
    toasts.show_toast(ToastView("1", "Deleted.", "Undo", stay_s=0))
    undo = toasts.findChild(QPushButton, "toast_action_1")
    assert undo is not None
    with qtbot.waitSignal(toasts.action_requested) as acted:
        undo.click()
    assert acted.args == ["1"]
    assert toasts.texts() == []
    with qtbot.waitSignal(toasts.expired, timeout=30_000) as gone:
        toasts.show_toast(ToastView("2", "Deleted.", "Undo", stay_s=0.05))
    assert gone.args == ["2"]
    assert not toasts.isVisible()


def test_a_fourth_message_pushes_out_the_first(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.toasts.expired) as gone:
        for at in range(4):
            window.toasts.show_toast(ToastView(str(at), f"Message {at}", stay_s=0))
    assert gone.args == ["0"]
    assert window.toasts.texts() == ["Message 1", "Message 2", "Message 3"]
    window.toasts.show_toast(ToastView("2", "Again", stay_s=0))
    assert window.toasts.texts() == ["Message 1", "Message 3", "Again"]


def test_the_log_filters_and_saves(qtbot: QtBot, tmp_path: Path) -> None:
    log = LogView()
    qtbot.addWidget(log)
    log.append(["load_tensors: offloaded", "error: out of memory"])
    log.search.setText("ERROR")
    assert log.text.toPlainText() == "error: out of memory"
    log.append(["error: again", "fine"])
    assert log.text.toPlainText().splitlines() == ["error: out of memory", "error: again"]
    log.save_to(tmp_path / "engine.log")
    assert (tmp_path / "engine.log").read_text().splitlines() == log.lines()
    log.append(str(at) for at in range(6000))
    assert len(log.lines()) == 5000


def test_a_crash_report_is_copied_whole(qtbot: QtBot) -> None:
    dialog = CrashReport(None, "Unexpected error", "Nothing was sent.", "Traceback …")
    qtbot.addWidget(dialog)
    dialog.copy.click()
    assert QApplication.clipboard().text() == "Traceback …"


def test_a_dangerous_question_is_safe_by_default(qtbot: QtBot) -> None:
    dialog = Confirm(None, "Delete all?", "Gone for good.", "Delete", is_danger=True)
    qtbot.addWidget(dialog)
    assert dialog.cancel.isDefault()
    with qtbot.waitSignal(dialog.accepted):
        dialog.act.click()


def test_a_name_must_not_be_empty(qtbot: QtBot) -> None:
    dialog = NameDialog(None, "New folder", "Create")
    qtbot.addWidget(dialog)
    assert not dialog.act.isEnabled()
    dialog.line.setText("  House ")
    with qtbot.waitSignal(dialog.named) as named:
        dialog.act.click()
    assert named.args == ["House"]


def test_the_first_window_is_no_larger_than_its_screen(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    room = window.screen().availableGeometry()
    window.resize(room.width() + 600, room.height() + 300)
    fit_to_screen(window)
    assert window.width() == room.width()
    assert room.height() - 60 < window.height() < room.height()
    window.resize(300, 200)
    fit_to_screen(window)
    assert (window.width(), window.height()) == (300, 200)
