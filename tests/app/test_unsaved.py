"""Closing the window while the disk takes no more words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from tests.support.desk import Desk, faulty, open_desk
from widgets.dialogs.unsaved import Unsaved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtWidgets import QApplication

LONG = "what is lost? " * 5_000


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    """A window whose disk is full, with a question and an answer that are not saved."""
    with open_desk(qapp, command=faulty()) as made:
        made.load()
        made.ask("first")
        limit_pages(made, 1)
        made.ask(LONG)
        yield made


def limit_pages(desk: Desk, pages: int) -> None:
    statement = f"PRAGMA max_page_count = {pages}"
    desk.store._writer.submit(lambda at: at.execute(statement).fetchone()).result(5)


def asking(desk: Desk) -> Unsaved:
    desk.desktop.window.close()
    return desk.find(Unsaved, "unsaved")


def test_closing_asks_before_words_are_lost(desk: Desk) -> None:
    window = desk.desktop.window
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape):
        dialog = asking(desk)
        assert window.isVisible()
        assert LONG.strip() in dialog.words()
        assert "one two three" in dialog.words()
        assert "first" not in dialog.words(), "that is saved"
        assert dialog.focusWidget() is dialog.stay
        QTest.keyClick(dialog, key)
        assert not dialog.isVisible()
        assert window.isVisible()
    dialog = asking(desk)
    window.close()
    assert len(desk.find_all(Unsaved, "unsaved")) == 1, "asked twice at a time"
    dialog.copy.click()
    assert QGuiApplication.clipboard().text() == dialog.words()
    dialog.give_up.click()
    assert not window.isVisible()
    # Said already: it ends without an error.
    desk.desktop.close()


def test_closing_does_not_ask_once_there_is_room(desk: Desk) -> None:
    asking(desk).stay.click()
    limit_pages(desk, 1_000_000)
    desk.until(lambda: not desk.store.unsaved(), "room for the words")
    assert desk.stored()[2].text == LONG.strip()
    desk.desktop.window.close()
    assert not desk.desktop.window.isVisible()
