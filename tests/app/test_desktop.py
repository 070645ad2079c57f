"""The composed window: every command works, every control has a name and is reached by Tab."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from PySide6.QtCore import QEvent, QMetaMethod, QMimeData, Qt, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage
from PySide6.QtNetwork import QNetworkAccessManager
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)

from app.session import State
from tests.support.desk import Desk, Hold, faulty, open_desk
from widgets import theme
from widgets.chat.message import MessageWidget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERACTIVE = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        yield made


def controls(desk: Desk) -> list[QWidget]:
    """Everything visible that a hand can work."""
    return [
        widget
        for widget in desk.desktop.window.findChildren(QWidget)
        if isinstance(widget, INTERACTIVE)
        and not isinstance(widget, QScrollBar)
        and widget.isVisible()
        and widget.isEnabled()
        and not _is_inside_of_a_control(widget)
    ]


def _is_inside_of_a_control(widget: QWidget) -> bool:
    """The field of a spin box, the list of a combo box and the cross in a field belong to it."""
    return isinstance(widget.parentWidget(), QAbstractSpinBox | QComboBox | QLineEdit)


def tab_walk(desk: Desk) -> set[QWidget]:
    """What Tab reaches, beginning in the composer."""
    window = desk.desktop.window
    desk.view.focus_composer()
    seen: set[QWidget] = set()
    for _ in range(400):
        focused = window.focusWidget()
        if focused is None or focused in seen:
            break
        seen.add(focused)
        if not window.focusNextChild():
            break
    return seen


@pytest.mark.parametrize("state", ["first", "chat", "models"])
def test_every_control_has_names_and_is_reached_by_tab(
    desk: Desk, tmp_path: Path, state: str
) -> None:
    if state == "chat":
        desk.load()
        path = tmp_path / "a.txt"
        path.write_text("words")
        desk.drop(path)
        desk.ask("why")
    elif state == "models":
        desk.desktop.window.show_page("models")
    QTest.qWait(300)
    found = controls(desk)
    assert len(found) > 15
    nameless = [widget for widget in found if not widget.objectName()]
    assert not nameless, nameless
    silent = [_name(widget) for widget in found if not _accessible(widget)]
    assert not silent, silent
    reached = tab_walk(desk)
    missed = [
        _name(widget)
        for widget in found
        if widget not in reached and widget.focusProxy() not in reached and not _in_group(widget)
    ]
    assert not missed, missed


def _name(widget: QWidget) -> str:
    return f"{type(widget).__name__} {widget.objectName()}"


def _accessible(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text


def _in_group(widget: QWidget) -> bool:
    """Of buttons that exclude each other Tab reaches one, and the arrow keys the rest."""
    return isinstance(widget, QAbstractButton) and (
        widget.autoExclusive() or (widget.group() is not None and widget.group().exclusive())
    )


def keys(desk: Desk, key: Qt.Key, modifiers: Qt.KeyboardModifier = CTRL) -> None:
    QTest.keyClick(desk.desktop.window, key, modifiers)
    QTest.qWait(5)


def test_the_habits_of_the_keyboard(desk: Desk) -> None:
    window = desk.desktop.window
    desk.load()
    desk.ask("why")
    first = desk.chat.chat_id

    keys(desk, Qt.Key.Key_N)
    assert desk.chat.chat_id is None
    desk.ask("how")
    second = desk.chat.chat_id
    keys(desk, Qt.Key.Key_O, CTRL | SHIFT)
    assert desk.chat.chat_id is None
    desk.open_chat(second)
    keys(desk, Qt.Key.Key_PageDown)
    assert desk.chat.chat_id == first
    keys(desk, Qt.Key.Key_PageUp)
    assert desk.chat.chat_id == second

    shown = window.sidebar.isVisible()
    keys(desk, Qt.Key.Key_B)
    assert window.sidebar.isVisible() != shown
    keys(desk, Qt.Key.Key_K)
    assert window.sidebar.isVisible()
    assert isinstance(window.focusWidget(), QLineEdit)
    keys(desk, Qt.Key.Key_F)
    assert desk.view.find_bar.isVisible()
    QTest.keyClick(desk.view.find_bar.input, Qt.Key.Key_Escape)
    assert not desk.view.find_bar.isVisible()

    before = desk.messages()[-1].id
    keys(desk, Qt.Key.Key_R)
    desk.until(lambda: desk.chat.replying_in is None and desk.messages()[-1].id != before)
    assert desk.messages()[-1].version_count == 2
    keys(desk, Qt.Key.Key_C, CTRL | SHIFT)
    assert QGuiApplication.clipboard().text() == desk.messages()[-1].text

    shown = window.engine.isVisible()
    keys(desk, Qt.Key.Key_E)
    assert window.engine.isVisible() != shown
    keys(desk, Qt.Key.Key_E)
    keys(desk, Qt.Key.Key_2)
    assert window.page() != "chat"
    keys(desk, Qt.Key.Key_1)
    assert window.page() == "chat"

    keys(desk, Qt.Key.Key_L, CTRL | SHIFT)
    desk.until_state(State.IDLE)


@pytest.mark.parametrize(
    ("key", "modifiers"),
    [
        (Qt.Key.Key_Comma, CTRL),
        (Qt.Key.Key_F1, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Slash, CTRL),
        (Qt.Key.Key_J, CTRL | SHIFT),
    ],
)
def test_the_keys_that_open_a_dialog(
    desk: Desk, key: Qt.Key, modifiers: Qt.KeyboardModifier
) -> None:
    keys(desk, key, modifiers)
    dialogs = [one for one in desk.desktop.window.findChildren(QDialog) if one.isVisible()]
    assert len(dialogs) == 1
    silent = [
        _name(widget)
        for widget in dialogs[0].findChildren(QWidget)
        if isinstance(widget, INTERACTIVE)
        and not isinstance(widget, QScrollBar)
        and widget.isVisible()
        and not (widget.objectName() and _accessible(widget))
        and not _is_inside_of_a_control(widget)
    ]
    QTest.keyClick(dialogs[0], Qt.Key.Key_Escape)
    assert not dialogs[0].isVisible()
    assert not silent, silent


def test_nothing_that_the_window_asks_for_is_asked_in_vain(desk: Desk) -> None:
    window = desk.desktop.window
    views = (window, window.sidebar, window.engine, desk.view, desk.desktop.passages)
    unheard = [
        f"{type(view).__name__}.{name}"
        for view in (*views, window.library, window.models_page, window.economics)
        for name in vars(type(view))
        if isinstance(vars(type(view))[name], Signal)
        and not view.isSignalConnected(QMetaMethod.fromSignal(getattr(view, name)))
    ]
    assert not unheard, unheard


def test_control_o_asks_for_files_and_a_listed_document_opens(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("words")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_args: ([str(path)], ""))
    keys(desk, Qt.Key.Key_O)
    desk.until(lambda: desk.store.documents.all(), "the document in the library")
    # Who brought a document is not offered the sample.
    desk.load()
    desk.until(lambda: desk.find_all(QWidget, "card_empty"), "the card of an empty chat")
    assert not desk.find_all(QAbstractButton, "cardAction_sample")
    document = desk.store.documents.all()[0]
    window = desk.desktop.window
    listed = window.sidebar.documents
    desk.until(lambda: listed.model().rowCount() > 0, "the document in the list")
    window.sidebar.document_selected.emit(document.id)
    desk.until(lambda: desk.desktop.viewing.viewer is not None, "the view")
    desk.desktop.viewing.close_viewer()
    listed.setCurrentIndex(listed.model().index(listed.model().rowCount() - 1, 0))
    QTest.keyClick(listed, Qt.Key.Key_Delete)
    asking = [one for one in window.findChildren(QDialog) if one.isVisible()]
    asking[-1].accept()
    desk.until(lambda: not desk.store.documents.all(), "the document's end")
    desk.until(lambda: desk.undos, "the offer to undo")
    desk.undos[-1]()
    desk.until(lambda: desk.store.documents.all(), "its return")


def test_delete_in_the_composer_deletes_no_chat(desk: Desk) -> None:
    desk.load()
    desk.ask("why")
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        QTest.keyClick(desk.view.composer.input, key)
    desk.settle()
    assert len(desk.store.chats.all()) == 1


def test_up_recalls_the_last_question(desk: Desk) -> None:
    desk.load()
    desk.ask("why")
    QTest.keyClick(desk.view.composer.input, Qt.Key.Key_Up)
    assert desk.view.draft() == "why"


def test_what_vanishes_gives_the_keyboard_to_the_composer(desk: Desk) -> None:
    desk.load()
    desk.ask("why")
    window, composer = desk.desktop.window, desk.view.composer.input
    asked = next(one for one in desk.view.findChildren(MessageWidget) if one.view.role == "user")
    asked.begin_edit()
    assert asked.edit_box is not None
    asked.edit_box.input.setFocus()
    QTest.keyClick(asked.edit_box.input, Qt.Key.Key_Return)
    desk.until(lambda: desk.messages()[0].version_count == 2)
    desk.until(lambda: desk.chat.replying_in is None)
    assert window.focusWidget() is composer
    desk.find(QAbstractButton, "message_regenerate").setFocus()
    desk.press("message_regenerate")
    desk.until(lambda: desk.messages()[1].version_count == 2)
    desk.until(lambda: desk.chat.replying_in is None)
    assert window.focusWidget() is composer


def test_the_theme_changes_and_is_remembered(qapp: QApplication) -> None:
    with open_desk(qapp, command=faulty()) as desk:
        grounds = {}
        for mode in ("dark", "light"):
            desk.desktop.window.theme_chosen.emit(mode)
            grounds[mode] = theme.color("bg").lightness()
            assert desk.desktop.settings.app.theme == mode
        assert grounds["dark"] < 80 < 200 < grounds["light"]
        keys(desk, Qt.Key.Key_D, CTRL | SHIFT)
        after = desk.desktop.settings.app.theme
        assert after != "light"
    with open_desk(qapp, command=faulty()) as desk:
        assert desk.desktop.settings.app.theme == after


def test_preferences_take_effect_at_once(desk: Desk) -> None:
    window, field = desk.desktop.window, desk.view.composer.input
    settings = msgspec.structs.replace(desk.desktop.settings.app, long_paste_characters=500)
    window.app_settings_edited.emit(settings)
    data = QMimeData()
    data.setText("x" * 501)
    field.insertFromMimeData(data)
    assert not desk.view.draft()
    desk.until(desk.store.documents.all, "the paste as a document")


def test_the_size_of_text_is_remembered(qapp: QApplication) -> None:
    with open_desk(qapp, command=faulty()) as desk:
        field, row_px = desk.view.composer.input, desk.view.ledger.height()
        normal = field.height()
        desk.load()
        desk.ask("why")
        message_px = desk.view.transcript.verticalScrollBar().maximum()
        settings = msgspec.structs.replace(desk.desktop.settings.app, text_size=26)
        desk.desktop.window.app_settings_edited.emit(settings)
        assert field.font().pixelSize() == 26
        assert field.height() > 1.5 * normal
        assert desk.view.ledger.height() == 2 * row_px
        assert desk.view.transcript.verticalScrollBar().maximum() >= message_px
        widget = desk.view.findChild(MessageWidget)
        assert widget is not None
        assert widget.body.flow.height >= 40
    with open_desk(qapp, command=faulty()) as desk:
        assert desk.view.composer.input.font().pixelSize() == 26
        assert desk.view.ledger.height() == 2 * row_px
    theme.set_text_size(qapp, 13)


def test_a_window_that_cannot_be_seen_reads_no_instruments(desk: Desk) -> None:
    window, taken = desk.desktop.window, [0]
    rings = desk.desktop.engine_side.instruments.sampler.rings
    desk.desktop.engine_side.instruments.snapshot_taken.connect(lambda _s: taken.append(1))
    desk.until(lambda: sum(taken), "a reading")
    for away, back in ((window.hide, window.show), (window.showMinimized, window.showNormal)):
        away()
        # One that was on its way may still arrive; behind it the sampler leaves a gap.
        desk.until(lambda: math.isnan(rings.read("ram_used_bytes")[1][-1]), "the pause")
        QTest.qWait(100)
        before = sum(taken)
        QTest.qWait(600)
        assert sum(taken) == before
        assert not window.tick.is_running
        back()
        desk.until(lambda before=before: sum(taken) > before, "readings again")  # type: ignore[misc]


def test_the_layout_is_remembered(qapp: QApplication) -> None:
    with open_desk(qapp, command=faulty()) as desk:
        desk.desktop.window.resize(1500, 950)
        desk.desktop.window.toggle_sidebar()
        assert not desk.desktop.window.sidebar.isVisible()
    with open_desk(qapp, command=faulty()) as desk:
        assert not desk.desktop.window.sidebar.isVisible()


HOSTILE = """
![remote](https://example.invalid/pixel.png) ![local](file:///etc/passwd) <img src="x.png">
<script>alert(1)</script> <iframe src="https://example.invalid"></iframe>
[click](https://example.invalid/a) [run](file:///bin/sh) [js](javascript:alert(1))
https://example.invalid/bare ![data](data:image/png;base64,AAAA)
"""


def test_nothing_a_model_writes_loads_reads_or_opens(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[str] = []

    def noting(what: str) -> object:
        return lambda *_args, **_kwargs: touched.append(what)

    monkeypatch.setattr(QNetworkAccessManager, "createRequest", noting("network"))
    monkeypatch.setattr(QDesktopServices, "openUrl", noting("opened"))
    monkeypatch.setattr(QImage, "load", noting("image"))
    desk.load()
    desk.ask("why")
    last = desk.messages()[-1]
    desk.view.stream_delta(last.id, HOSTILE)
    QTest.qWait(200)
    desk.desktop.window.grab()
    assert touched == []

    for url in ("file:///bin/sh", "javascript:alert(1)", "data:text/html,x", "ftp://example"):
        desk.view.link_clicked.emit(url)
        assert "Only web and mail links" in desk.notices[-1]
    desk.view.link_clicked.emit("https://example.invalid/a")
    asking = [one for one in desk.desktop.window.findChildren(QDialog) if one.isVisible()]
    assert len(asking) == 1
    assert touched == [], "it was opened without asking"
    QTest.keyClick(asking[0], Qt.Key.Key_Escape)
    assert touched == []
    desk.view.link_clicked.emit("https://example.invalid/a")
    asking = [one for one in desk.desktop.window.findChildren(QDialog) if one.isVisible()]
    asking[-1].accept()
    assert touched == ["opened"]


def test_search_finds_a_message_and_goes_to_it(desk: Desk) -> None:
    desk.load()
    desk.ask("an albatross over the bow")
    chat_id = desk.chat.chat_id
    desk.open_chat(None)
    desk.desktop.window.sidebar.search_changed.emit("albatross")
    hits = desk.store.search.find("albatross")
    assert [hit.chat_id for hit in hits] == [chat_id] * len(hits)
    assert hits
    desk.desktop.window.sidebar.hit_selected.emit(str(chat_id), str(hits[0].message_id or ""))
    assert desk.chat.chat_id == chat_id


def test_export_writes_both_formats(desk: Desk, tmp_path: Path) -> None:
    desk.load()
    desk.ask("why")
    desk.stored()
    assert desk.chat.chat_id
    for how in ("markdown", "json"):
        path = tmp_path / f"chat.{how}"
        desk.desktop.sidebar.export_to(desk.chat.chat_id, how, path)
        assert "three four" in path.read_text()
    desk.desktop.sidebar.export_to(desk.chat.chat_id, "json", tmp_path / "nowhere" / "x.json")
    assert "could not be written" in desk.notices[-1]


def test_exported_chats_come_back_and_go_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.load()
    desk.ask("why")
    first = desk.chat.chat_id or 0
    desk.stored(first)
    exported, other = tmp_path / "why.json", tmp_path / "other.json"
    desk.desktop.sidebar.export_to(first, "json", exported)
    other.write_text('{"format": "another"}')
    chosen = ([str(exported), str(other), str(exported)], "")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_args: chosen)
    desk.desktop.window.show_page("models")
    keys(desk, Qt.Key.Key_I, CTRL | SHIFT)
    desk.until(lambda: desk.undos, "the offer to undo")
    assert desk.notices[-1] == "Not a chat exported from Leadline: other.json."
    assert len(desk.store.chats.all()) == 3
    assert desk.desktop.window.page() == "chat"
    assert desk.chat.chat_id not in (None, first)
    assert [message.text for message in desk.messages()] == [
        message.text for message in desk.stored(first)
    ]
    desk.undos.pop()()
    desk.until(lambda: len(desk.store.chats.all()) == 1, "both to be gone")
    desk.until(lambda: desk.chat.chat_id is None, "another chat")

    desk.drop(exported, on=desk.desktop.window.sidebar)
    desk.until(lambda: len(desk.store.chats.all()) == 2, "the dropped chat")


def test_a_model_that_is_not_whole_is_listed_as_such(
    desk: Desk, tmp_path: Path, demo_model: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "cut.gguf").write_bytes(demo_model.read_bytes()[:20_000_000])
    (folder / "half-00001-of-00003.gguf").write_bytes(demo_model.read_bytes()[:2_000_000])
    settings = msgspec.structs.replace(desk.desktop.settings.app, model_folders=(str(folder),))
    desk.desktop.window.app_settings_edited.emit(settings)
    rows = desk.desktop.window.models_page.list.rows
    desk.until(lambda: rows.index_of(str(folder / "half-00001-of-00003.gguf")).isValid())
    said = {}
    for name in ("cut.gguf", "half-00001-of-00003.gguf"):
        row = rows.row_at(rows.index_of(str(folder / name)).row())
        assert not row.is_enabled
        said[name] = row.detail
    assert said["cut.gguf"].startswith("cut.gguf is not complete: ")
    assert "half-00002-of-00003.gguf is missing" in said["half-00001-of-00003.gguf"]
    assert str(folder) not in "".join(said.values())


def test_closing_while_it_writes_keeps_the_words(qapp: QApplication, tmp_path: Path) -> None:
    hold = Hold(tmp_path)
    with open_desk(qapp, command=faulty(), env=hold.env) as desk:
        desk.load()
        hold.at()
        desk.send("why")
        desk.until(lambda: desk.messages() and desk.messages()[-1].text)
        chat_id, shown = desk.chat.chat_id, desk.messages()[-1].text
    with open_desk(qapp, command=faulty()) as desk:
        desk.open_chat(chat_id)
        assert desk.messages()[-1].text.startswith(shown)
        assert desk.messages()[-1].state == "interrupted"


def test_an_exception_nobody_expected_is_shown_once_and_logged(
    desk: Desk, leadline_home: Path
) -> None:
    for _ in range(3):
        try:
            raise ZeroDivisionError("of the test")
        except ZeroDivisionError as error:
            desk.desktop.crashes.record(error)
    desk.until(lambda: any(d.isVisible() for d in desk.desktop.window.findChildren(QDialog)))
    dialogs = [one for one in desk.desktop.window.findChildren(QDialog) if one.isVisible()]
    assert len(dialogs) == 1
    reports = list((leadline_home / "log").glob("crash-*.txt"))
    assert len(reports) == 1
    assert "ZeroDivisionError: of the test" in reports[0].read_text()
    # The one report that this test wanted.
    reports[0].unlink()
    dialogs[0].close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
