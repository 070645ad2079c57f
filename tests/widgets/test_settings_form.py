"""The form is the declarations: every setting has a row, edits are validated, search finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLineEdit, QPlainTextEdit

from engine.models.demo import demo_model_path
from engine.settings import (
    AppSettings,
    EngineSettings,
    GenerationSettings,
    Kind,
    setting_infos,
)
from widgets.parts import Switch
from widgets.settings.form import SettingsForm
from widgets.settings.hints import ValueHint
from widgets.settings.log_slider import LogSlider
from widgets.settings.share_slider import ShareSlider, reduced

if TYPE_CHECKING:
    import msgspec
    from pytestqt.qtbot import QtBot

DECLARED: list[type[msgspec.Struct]] = [EngineSettings, GenerationSettings, AppSettings]


def shown_form(qtbot: QtBot, values: msgspec.Struct) -> SettingsForm:
    form = SettingsForm(values)
    qtbot.addWidget(form)
    form.resize(420, 800)
    form.show()
    return form


@pytest.mark.parametrize("declared", DECLARED)
def test_every_declared_setting_has_a_row_and_an_accessible_editor(
    qtbot: QtBot, declared: type[msgspec.Struct]
) -> None:
    form = shown_form(qtbot, declared())
    for info in setting_infos(declared):
        row = form.row_for(info.name)
        assert row.info == info
        control = row.editor.focusProxy()
        assert control is not None, info.name
        assert control.accessibleName(), info.name
        assert control.objectName(), info.name
        assert info.help.split()[0] in row.editor.toolTip()


@pytest.mark.parametrize("declared", DECLARED)
def test_every_default_survives_being_shown(qtbot: QtBot, declared: type[msgspec.Struct]) -> None:
    form = shown_form(qtbot, declared())
    edits: list[Any] = []
    form.edited.connect(edits.append)
    form.set_values(declared())
    assert edits == []
    assert form.values() == declared()


def test_a_field_for_a_model_knows_its_names(qtbot: QtBot) -> None:
    form = shown_form(qtbot, EngineSettings())
    edits: list[EngineSettings] = []
    form.edited.connect(edits.append)
    line = form.findChild(QLineEdit, "setting_draft_model")
    assert line is not None
    QTest.keyClicks(line, "demo")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert [edit.draft_model for edit in edits] == [str(demo_model_path())]
    assert line.text() == str(demo_model_path())


def test_an_edit_of_each_kind_reports_the_whole_value(qtbot: QtBot) -> None:
    form = shown_form(qtbot, EngineSettings())
    edits: list[EngineSettings] = []
    form.edited.connect(edits.append)

    switch = form.findChild(Switch, "setting_mmap")
    assert switch is not None
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert edits[-1].mmap is False

    combo = form.findChild(QComboBox, "setting_type_k")
    assert combo is not None
    combo.activated.emit(combo.findText("q8_0"))
    assert edits[-1].type_k == "q8_0"
    assert edits[-1].mmap is False

    spin = form.findChild(QDoubleSpinBox, "setting_n_ubatch")
    assert spin is not None
    spin.setValue(1024)
    assert edits[-1].n_ubatch == 1024
    assert isinstance(edits[-1].n_ubatch, int)

    line = form.findChild(QLineEdit, "setting_devices")
    assert line is not None
    line.setFocus()
    line.setText("CUDA0,127.0.0.1:50052")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert edits[-1].devices == ("CUDA0", "127.0.0.1:50052")


def test_a_long_text_is_reported_when_typing_pauses(qtbot: QtBot) -> None:
    form = shown_form(qtbot, GenerationSettings())
    text = form.findChild(QPlainTextEdit, "setting_system_prompt")
    assert text is not None
    with qtbot.waitSignal(form.edited, timeout=30_000) as edit:
        text.setPlainText("Answer in Dutch.")
    assert edit.args is not None
    assert edit.args[0].system_prompt == "Answer in Dutch."


def test_seed_holds_more_than_32_bits_and_shows_its_word(qtbot: QtBot) -> None:
    form = shown_form(qtbot, GenerationSettings(seed=4_294_967_294))
    spin = form.findChild(QDoubleSpinBox, "setting_seed")
    assert spin is not None
    assert spin.text() == "4,294,967,294"
    form.set_values(GenerationSettings())
    assert spin.text() == "random"


@pytest.mark.parametrize(("typed", "seen"), [("0.25", 0.25), ("9", None), ("abc", None)])
def test_typed_numbers_are_taken_or_refused(qtbot: QtBot, typed: str, seen: float | None) -> None:
    form = shown_form(qtbot, GenerationSettings())
    spin = form.findChild(QDoubleSpinBox, "setting_temperature")
    assert spin is not None
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, typed)
    QTest.keyClick(spin, Qt.Key.Key_Return)
    values = form.values()
    assert isinstance(values, GenerationSettings)
    kept = GenerationSettings().temperature
    assert values.temperature == (kept if seen is None else seen)


def test_changed_rows_are_marked_and_reset(qtbot: QtBot) -> None:
    form = shown_form(qtbot, EngineSettings(n_ctx=4096))
    changed, same = form.row_for("n_ctx"), form.row_for("n_batch")
    mark = changed.findChild(type(changed._mark))
    assert mark is not None
    assert mark.isVisible()
    assert not same._reset.isVisible()
    with qtbot.waitSignal(form.edited) as edit:
        changed._reset.click()
    assert edit.args is not None
    assert edit.args[0] == EngineSettings()
    assert not changed._reset.isVisible()


def test_search_hides_what_does_not_match(qtbot: QtBot) -> None:
    form = shown_form(qtbot, EngineSettings())
    form.search.setText("yarn beta")
    visible = [i.name for i in setting_infos(EngineSettings) if form.row_for(i.name).isVisible()]
    assert visible == ["yarn_beta_fast", "yarn_beta_slow"]
    form.search.setText("n_gpu_layers")
    assert form.row_for("n_gpu_layers").isVisible()
    form.search.setText("zebra")
    assert form._nothing.isVisible()
    form.search.clear()
    assert all(form.row_for(i.name).isVisible() for i in setting_infos(EngineSettings))


def test_problems_are_said_under_their_row(qtbot: QtBot) -> None:
    form = shown_form(qtbot, EngineSettings())
    form.set_problems({"type_v": "A quantized V needs flash attention."})
    assert form.row_for("type_v")._problem.isVisible()
    form.set_problems({})
    assert not form.row_for("type_v")._problem.isVisible()


def test_refused_choices_stay_visible_with_their_reason(qtbot: QtBot) -> None:
    form = shown_form(qtbot, EngineSettings())
    form.set_hints({"type_v": ValueHint(refused=(("iq4_nl", "It stops the engine."),))})
    combo = form.findChild(QComboBox, "setting_type_v")
    assert combo is not None
    at = combo.findText("iq4_nl")
    index = combo.model().index(at, 0)
    assert not index.flags() & Qt.ItemFlag.ItemIsEnabled
    assert index.data(Qt.ItemDataRole.ToolTipRole) == "It stops the engine."
    form.set_hints({"type_v": ValueHint()})
    assert combo.model().index(at, 0).flags() & Qt.ItemFlag.ItemIsEnabled


def test_no_setting_is_named_in_the_form_code() -> None:
    from pathlib import Path

    import widgets.settings as package

    names = {i.name for d in DECLARED for i in setting_infos(d)} - {"mmap", "stop", "seed", "theme"}
    for file in Path(next(iter(package.__path__))).glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not [name for name in names if f'"{name}"' in text], file.name


def test_every_kind_of_setting_is_covered() -> None:
    kinds = {info.kind for declared in DECLARED for info in setting_infos(declared)}
    assert kinds == set(Kind)


# ---- sliders -------------------------------------------------------------------------------------


def test_the_log_slider_steps_doubles_and_jumps_to_the_limit(qtbot: QtBot) -> None:
    slider = LogSlider("s", "Context")
    qtbot.addWidget(slider)
    slider.set_range(512, 131_072)
    slider.set_value(8192)
    slider.set_tick(98_304)
    moves: list[int] = []
    slider.moved.connect(moves.append)
    QTest.keyClick(slider, Qt.Key.Key_PageUp)
    QTest.keyClick(slider, Qt.Key.Key_End)
    QTest.keyClick(slider, Qt.Key.Key_Home)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert moves[:3] == [16_384, 98_304, 512]
    assert moves[3] > 512
    assert moves[3] % 256 == 0


def test_dragging_the_log_slider_ignores_values_from_outside(qtbot: QtBot) -> None:
    slider = LogSlider("s", "Context")
    qtbot.addWidget(slider)
    slider.resize(200, 24)
    slider.show()
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=slider.rect().center())
    held = slider.value()
    slider.set_value(512)
    assert slider.value() == held
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton)
    slider.set_value(512)
    assert slider.value() == 512


def test_shares_stay_whole_positive_and_reduced(qtbot: QtBot) -> None:
    slider = ShareSlider("s")
    qtbot.addWidget(slider)
    slider.resize(160, 24)
    slider.show()
    slider.set_shares((1, 1), 16)
    moves: list[tuple[int, ...]] = []
    slider.moved.connect(moves.append)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert moves[-1] == (9, 7)
    for _ in range(30):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    assert moves[-1] == (15, 1)
    QTest.keyClick(slider, Qt.Key.Key_Home)
    assert moves[-1] == (1, 1)
    slider.set_shares((2, 1, 1), 16)
    QTest.keyClick(slider, Qt.Key.Key_PageUp)
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert list(moves[-1]) == [8, 3, 5]
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=slider.rect().center())
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton)
    assert all(share > 0 for share in slider.shares())


def test_reduced() -> None:
    assert reduced((8, 8)) == (1, 1)
    assert reduced((6, 9, 3)) == (2, 3, 1)
    assert reduced(()) == ()
