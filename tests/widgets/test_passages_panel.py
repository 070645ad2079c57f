"""The panel of passages: says what was given and what was not, and works by keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget

from widgets.beside import Beside
from widgets.documents.passage_card import ordinal
from widgets.documents.passages_panel import PassagesPanel
from widgets.documents.passages_viewdata import FoundPassageView, PassagesView, RankView

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def found(number: int, left_out: str = "") -> FoundPassageView:
    return FoundPassageView(
        id=str(number),
        document="lease.pdf",
        anchor=f"p. {number}",
        heading="Notice",
        text="Where the tenant has lived here for more than two years … " * 9,
        tokens=100 + number,
        words=RankView(number, 7.25),
        meaning=RankView(),
        both=RankView(number, 0.1234),
        left_out=left_out,
        lacked_room="room" in left_out,
    )


VIEW = PassagesView(
    question="When does notice end?",
    found=(found(1), found(2), found(3, "Left out: no room for it")),
    count=2,
    out_of=1818,
    tokens=203,
    budget_tokens=250,
    how="Found by words.",
    note="The embedding model stopped (SIGSEGV).",
)


@pytest.fixture
def panel(qtbot: QtBot) -> PassagesPanel:
    made = PassagesPanel()
    qtbot.addWidget(made)
    made.resize(340, 800)
    made.show()
    made.activateWindow()
    QTest.qWaitForWindowActive(made)
    return made


def said(panel: QWidget) -> list[str]:
    # What a layout takes in is shown with the next events.
    QTest.qWait(1)
    return [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]


def test_it_says_what_was_given_and_what_was_left_out_and_why(panel: PassagesPanel) -> None:
    panel.set_view(VIEW)
    words = said(panel)
    for expected in (
        "When does notice end?",
        "Found by words.",
        "The embedding model stopped (SIGSEGV).",
        "2 of 1,818 · 203 tokens of 250",
        "101 tokens",
        "2nd · 7.2",
        "not found",
        "1st · 0.123",
        "Left out: no room for it",
    ):
        assert expected in words
    assert words.index("Left out: no room for it") > words.index("p. 3")
    assert "given to the model" in panel.cards[0].accessibleName()
    assert "no room" in panel.cards[2].accessibleName()
    alone = msgspec.structs.replace(VIEW, found=(msgspec.structs.replace(found(1), meaning=None),))
    panel.set_view(alone)
    assert not {"meaning", "together", "not found"} & set(said(panel))
    panel.set_view(PassagesView())
    assert panel.cards == []
    assert panel.findChildren(QLabel, "passagesEmpty")


def test_cards_are_walked_and_opened_by_keyboard_and_mouse(panel: PassagesPanel) -> None:
    opened: list[str] = []
    closed: list[bool] = []
    panel.open_requested.connect(opened.append)
    panel.closed.connect(lambda: closed.append(True))
    panel.set_view(VIEW)
    panel.focus_first()
    assert panel.cards[0].hasFocus()
    QTest.keyClick(panel.cards[0], Qt.Key.Key_Down)
    assert panel.cards[1].hasFocus()
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        QTest.keyClick(panel.cards[1], key)
    QTest.mouseClick(panel.cards[0], Qt.MouseButton.LeftButton)
    assert opened == ["2", "2", "1"]
    QTest.keyClick(panel.cards[0], Qt.Key.Key_Up)
    assert panel.cards[0].hasFocus()
    panel.set_view(VIEW)
    assert panel.cards[0].hasFocus()
    QTest.keyClick(panel.cards[0], Qt.Key.Key_Escape)
    assert closed == [True]


def test_a_narrow_place_shows_the_panel_alone(qtbot: QtBot) -> None:
    page, panel = QWidget(), PassagesPanel()
    page.setMinimumWidth(100)
    beside = Beside(page, "both")
    beside.hold(panel)
    qtbot.addWidget(beside)
    beside.resize(900, 500)
    beside.show()
    assert not beside.is_open
    beside.set_open(shown=True)
    assert page.isVisible()
    assert panel.isVisible()
    assert panel.width() >= 300
    beside.resize(500, 500)
    assert not page.isVisible()
    beside.resize(900, 500)
    assert page.isVisible()
    beside.resize(500, 500)
    beside.set_open(shown=False)
    assert page.isVisible()
    assert not panel.isVisible()


def test_places_are_said_as_people_say_them() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th",
    ]  # fmt: skip
