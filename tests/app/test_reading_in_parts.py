"""Reading in parts in the window: cost, consent, progress, stopping, going on, the list."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QAbstractButton, QPushButton, QWidget

from app.documents.parts_record import parts_given
from app.documents.readings import readings_dir
from app.store.export import to_markdown
from tests.support.desk import Desk, Hold, faulty, open_desk
from widgets.chat.partslist import PartsList

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from app.documents.parts_record import PartsGiven
    from app.store.rows import Message

WHERE = "Where is the spare key?"
NOTE = "The key is in the cellar."
# The stand-in for a model holds 8,192 words.
LINES = "\n".join(f"{number} " + "rain " * 29 for number in range(900))
# Which replies of the worker they are: its first one tells how fast it is.
SECOND_PART, THIRD_PART = 3, 4


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Where a test writes what the worker is to do wrong, once."""
    return tmp_path / "plan"


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    return Hold(tmp_path)


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path, plan: Path, hold: Hold) -> Iterator[Desk]:
    env = {"FAULTY_REPLY": NOTE, "FAULTY_PLAN": str(plan), **hold.env}
    with open_desk(qapp, command=faulty(), env=env) as made:
        made.load()
        path = tmp_path / "book.txt"
        path.write_text(LINES)
        made.drop(path)
        made.until(lambda: made.find_all(QPushButton, "chipAction_parts"), "the choice")
        made.press("chipAction_parts")
        # The request without it is counted anew.
        made.until(lambda: made.view.composer._state.can_send, "room for the question")
        assert made.view.composer._chips[0].mode == "parts"
        yield made


def asked(desk: Desk) -> None:
    """Ask, and wait for the cost."""
    desk.send(WHERE)
    desk.until(lambda: "notice" in desk.cards(), "the cost")


def given(messages: tuple[Message, ...]) -> PartsGiven:
    found = parts_given(messages[0].records)
    assert found is not None
    return found


def answered(desk: Desk) -> None:
    desk.until(lambda: desk.chat.replying_in is None, "the end of the reply")


def test_the_cost_comes_first_then_parts_then_the_answer(desk: Desk, hold: Hold) -> None:
    asked(desk)
    assert "Read 4 parts" in desk.card_text("notice")
    assert "tokens to read" in desk.card_text("notice")
    assert desk.messages()[0].text == WHERE
    hold.at(reply=SECOND_PART)
    desk.press("cardAction_parts_read")
    desk.until(lambda: "Part 2 of 4: book.txt" in progress(desk), "progress")
    hold.let_go()
    answered(desk)
    assert desk.cards() == []
    question, reply = desk.stored()
    assert (reply.text, reply.state) == (NOTE, "complete")
    read = given((question,))
    assert [part.number for part in read.parts] == [1, 2, 3, 4]
    assert all(part.notes == NOTE and part.attempts == 1 for part in read.parts)
    assert "with something about the question: 4" in question.records[-1].sentence
    assert not list(readings_dir().iterdir())

    desk.press("recordAction")
    desk.until(lambda: desk.find_all(PartsList, "partsList"), "the list of parts")
    desk.press("part_2")
    viewing = desk.desktop.viewing
    desk.until(lambda: viewing.viewer is not None, "the page")
    viewing.close_viewer()
    assert len(desk.find(PartsList, "partsList").findChildren(QPushButton)) == 4
    chat_id = desk.chat.chat_id
    desk.open_chat(None)
    desk.open_chat(chat_id)
    assert [part.state for part in desk.messages()[0].records[-1].parts] == ["found"] * 4
    contents = desk.store.messages.contents(chat_id or 0)
    assert contents is not None
    told = to_markdown(contents)
    assert "parts read: 4" in told
    assert told.count(NOTE) == 5

    # Another version of the answer comes from the same notes.
    desk.chat.answering().again.regenerate()
    desk.until(lambda: desk.messages()[-1].version_count == 2, "a version")
    answered(desk)
    assert desk.messages()[-1].text == NOTE
    # With other pages it does not.
    desk.desktop.shelf.choose_pages(chat_id or 0, desk.view.composer._chips[0].id, "1-3")
    desk.chat.answering().again.regenerate()
    desk.until(lambda: "notice" in desk.cards(), "the cost")
    assert "Read one part" in desk.card_text("notice")
    desk.press("cardAction_parts_decline")
    answered(desk)


def progress(desk: Desk) -> str:
    (widget,) = [item.widget for item in desk.view.transcript._items if item.widget][-1:]
    return widget.progress_text()


def test_nothing_is_read_without_consent(desk: Desk) -> None:
    asked(desk)
    desk.press("cardAction_parts_decline")
    answered(desk)
    _question, reply = desk.stored()
    assert reply.state == "stopped"
    assert desk.messages()[-1].state_text == "Nothing was read."
    desk.press("replyContinue")
    desk.until(lambda: "notice" in desk.cards(), "the cost")
    desk.press("cardAction_parts_read")
    answered(desk)
    assert desk.messages()[-1].text == NOTE


def test_what_was_stopped_goes_on_where_it_was(desk: Desk, hold: Hold) -> None:
    asked(desk)
    hold.at(reply=THIRD_PART)
    desk.press("cardAction_parts_read")
    desk.until(lambda: "Part 3 of 4" in progress(desk), "part 3")
    desk.press("composerStop")
    answered(desk)
    assert desk.messages()[-1].state_text == "Stopped after 2 of 4 parts; what was read is kept."
    hold.let_go()
    desk.press("replyContinue")
    desk.until(lambda: "notice" in desk.cards(), "the cost")
    assert "2 of 4 parts were read before" in desk.card_text("notice")
    desk.press("cardAction_parts_read")
    answered(desk)
    assert [part.was_kept for part in given(desk.stored()).parts] == [True, True, False, False]


def test_a_worker_that_dies_of_a_part_is_started_again(desk: Desk, plan: Path, hold: Hold) -> None:
    asked(desk)
    hold.at(reply=SECOND_PART)
    desk.press("cardAction_parts_read")
    desk.until(lambda: "Part 2 of 4" in progress(desk), "part 2")
    # Busy with something else at that very moment, as a window is on a loaded machine.
    desk.engine.died.connect(lambda _problem: time.sleep(0.5))
    plan.write_text("kill decode")
    hold.let_go()
    answered(desk)
    desk.until(lambda: desk.messages()[-1].text == NOTE, "the answer")
    assert len(desk.deaths) == 1
    attempts = [part.attempts for part in given(desk.stored()).parts]
    assert sorted(attempts) == [1, 1, 1, 2]


def test_a_part_that_kills_every_worker_is_named_in_record_and_answer(
    desk: Desk, plan: Path, hold: Hold
) -> None:
    asked(desk)
    hold.at(reply=SECOND_PART)
    desk.press("cardAction_parts_read")
    desk.until(lambda: "Part 2 of 4" in progress(desk), "part 2")
    plan.write_text("kill decode")
    # Before the next one is asked anything.
    desk.engine.died.connect(
        lambda _problem: plan.write_text("kill decode") if len(desk.deaths) == 1 else None
    )
    hold.let_go()
    desk.until(lambda: len(desk.deaths) == 2, "two deaths")
    answered(desk)
    question, reply = desk.stored()
    (failed,) = [part for part in given((question,)).parts if part.problem is not None]
    assert failed.attempts == 2
    assert f"not read: {failed.name} {failed.place}." in question.records[-1].sentence
    assert reply.text.startswith(NOTE)
    assert f"- {failed.name}, {failed.place}: The engine was killed" in reply.text
    assert [part.state for part in desk.messages()[0].records[-1].parts].count("failed") == 1
    # The others stay on the disk, for another try.
    assert len(list(readings_dir().iterdir())) == 3


def test_closing_the_chat_in_the_middle_keeps_what_was_read(desk: Desk, hold: Hold) -> None:
    asked(desk)
    hold.at(reply=THIRD_PART)
    desk.press("cardAction_parts_read")
    desk.until(lambda: "Part 3 of 4" in progress(desk), "part 3")
    desk.desktop.close()
    assert len(list(readings_dir().iterdir())) == 2


def test_notes_go_with_the_chat_once_it_cannot_come_back(desk: Desk, hold: Hold) -> None:
    asked(desk)
    hold.at(reply=THIRD_PART)
    desk.press("cardAction_parts_read")
    desk.until(lambda: "Part 3 of 4" in progress(desk), "part 3")
    desk.press("composerStop")
    answered(desk)
    desk.settle()
    chat_id = desk.chat.chat_id or 0
    desk.desktop.sidebar.delete(chat_id)
    desk.until(lambda: desk.find_all(QPushButton, "toast_action_undo_1"), "the offer")
    desk.press("toast_action_undo_1")
    desk.until(lambda: desk.chat.chat_id == chat_id, "the chat")
    desk.settle()
    assert len(list(readings_dir().iterdir())) == 2
    desk.desktop.sidebar.delete(chat_id)
    desk.until(lambda: desk.find_all(QWidget, "toast_close_undo_2"), "the offer")
    assert len(list(readings_dir().iterdir())) == 2
    desk.find(QAbstractButton, "toast_close_undo_2").click()
    desk.until(lambda: not list(readings_dir().iterdir()), "the end of the notes")
