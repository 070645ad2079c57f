"""The sheet that measures the best values: its states, its keys, and what a screen reader hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from widgets.engine_pane.measure_sheet import MeasureSheet
from widgets.engine_pane.measured_table import SpeedBar
from widgets.engine_pane.measuring_viewdata import (
    MeasuredSettingView,
    MeasuredValueView,
    MeasuringView,
    ProposalView,
)

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

SIZES = MeasuredSettingView(
    title="Micro-batch, reading",
    values=(
        MeasuredValueView("256", 812.0, spread=9.0, compute_bytes=64 << 20, is_best=True),
        MeasuredValueView("512", 810.0, spread=4.0, compute_bytes=128 << 20, is_now=True),
        MeasuredValueView("4,096", problem="There is not enough memory. Choose less."),
    ),
)
RUNNING = MeasuringView(
    state="running",
    words="Reading with a micro-batch of 512.",
    detail="Round 1 of 3.",
    fraction=0.25,
    seconds_left=31.0,
    settings=(SIZES,),
)
DONE = MeasuringView(
    state="done",
    words="These values are best on this computer.",
    settings=(SIZES,),
    proposals=(ProposalView("Micro-batch", "512", "256"),),
)


@pytest.fixture
def sheet(qtbot: QtBot) -> MeasureSheet:
    made = MeasureSheet(None)
    qtbot.addWidget(made)
    made.set_view(MeasuringView(words="What will happen.", detail="And what it costs."))
    made.show()
    return made


def test_enter_begins_and_esc_does_not(sheet: MeasureSheet, qtbot: QtBot) -> None:
    with qtbot.waitSignal(sheet.start_requested):
        QTest.keyClick(sheet, Qt.Key.Key_Return)
    with qtbot.waitSignal(sheet.rejected):
        QTest.keyClick(sheet, Qt.Key.Key_Escape)


def test_a_reason_closes_the_way(sheet: MeasureSheet, qtbot: QtBot) -> None:
    sheet.set_blocked("A reply is being written.")
    assert sheet.blocked.isVisible()
    with qtbot.assertNotEmitted(sheet.start_requested):
        QTest.keyClick(sheet, Qt.Key.Key_Return)
    sheet.set_blocked("")
    assert not sheet.blocked.isVisible()
    assert sheet.start.isEnabled()


def test_progress_shows_what_came_so_far(sheet: MeasureSheet, qtbot: QtBot) -> None:
    sheet.set_view(RUNNING)
    assert sheet.progress.isVisible()
    assert sheet.progress.value() == 250
    assert sheet.left.text() == "about 31 s left"
    assert not sheet.start.isVisible()
    assert not sheet.apply.isVisible()
    heard = sheet.table.accessibleName()
    for words in ("256, 812 tok/s, 64 MiB, best", "512, 810 tok/s, 128 MiB, now", "does not work"):
        assert words in heard
    assert len(sheet.table.findChildren(SpeedBar)) == 2
    # Enter must not end it by accident.
    with qtbot.assertNotEmitted(sheet.rejected):
        sheet.progress.setFocus()
        QTest.keyClick(sheet, Qt.Key.Key_Return)
    with qtbot.waitSignal(sheet.rejected):
        QTest.keyClick(sheet, Qt.Key.Key_Escape)


def test_the_choice_is_one_key_away(sheet: MeasureSheet, qtbot: QtBot) -> None:
    sheet.set_view(DONE)
    assert (sheet.cancel.text(), sheet.apply.isVisible()) == ("Keep mine", True)
    with qtbot.waitSignal(sheet.apply_requested):
        QTest.keyClick(sheet, Qt.Key.Key_Return)
    sheet.set_view(replace(DONE, proposals=()))
    assert (sheet.cancel.text(), sheet.apply.isVisible()) == ("Close", False)


def test_nothing_is_cut_off(sheet: MeasureSheet, qtbot: QtBot) -> None:
    def is_whole() -> None:
        for label in sheet.findChildren(QLabel):
            if label.isVisible() and label.text() and not label.wordWrap():
                assert label.width() >= label.sizeHint().width(), label.text()
            if label.isVisible() and label.wordWrap():
                assert label.height() >= label.heightForWidth(label.width()), label.text()

    for view in (RUNNING, DONE, replace(RUNNING, detail="Many words. " * 30)):
        sheet.set_view(view)
        # New rows are shown, and counted, with the next turns of the event loop: soon, but on a
        # busy machine not at once.
        QTest.qWait(50)
        qtbot.waitUntil(is_whole, timeout=10_000)
