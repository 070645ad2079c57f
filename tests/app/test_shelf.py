"""Documents in the real window: each file that is dropped becomes a chip or its own sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QPushButton, QWidget

from app.documents import file_watch
from app.documents.shelf import pasted_dir
from app.session import State
from tests.engine.document_files import write_pdf
from tests.support.desk import Desk, faulty, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from widgets.chat.viewdata import ChipView


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        yield made


def chips(desk: Desk) -> list[ChipView]:
    return list(desk.view.composer._chips)


def read(desk: Desk) -> list[ChipView]:
    """Wait until all that was dropped is read and counted."""
    desk.until(lambda: chips(desk), "a chip")
    desk.until(
        lambda: all(chip.state not in ("reading", "counting") for chip in chips(desk)),
        "the end of the reading",
    )
    return chips(desk)


def test_a_text_file_and_a_pdf_become_chips_and_are_sent(desk: Desk, tmp_path: Path) -> None:
    desk.load()
    notes = tmp_path / "notes.txt"
    notes.write_text("The harbour is four fathoms deep.")
    pdf = write_pdf(tmp_path / "lease.pdf", ["Clause one is on notice.", "Clause two is on rent."])
    desk.drop(notes, pdf)
    read(desk)
    desk.until(lambda: all(chip.tokens for chip in chips(desk)), "counts")
    found = {chip.name: chip for chip in chips(desk)}
    assert set(found) == {"notes.txt", "lease.pdf"}
    assert found["lease.pdf"].pages == 2
    assert found["notes.txt"].state == found["lease.pdf"].state == "ready"

    prompt = desk.chat.prompt("why")
    together = "".join(document.text for document in prompt.documents)
    assert "four fathoms" in together
    assert "Clause two" in together
    desk.ask("why")
    assert set(desk.messages()[0].documents) == {"notes.txt", "lease.pdf"}
    assert len(desk.chat.prompt("and").documents) == 2, "it must stay for the next question"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", "empty.txt is empty."),
        ("program.bin", b"\x7fELF\x02\x01\x01" + bytes(200), "holds no text"),
        ("scan.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture"),
        ("cut.pdf", b"%PDF-1.7\n1 0 obj\n<<", "damaged"),
    ],
)
def test_what_cannot_be_read_has_its_own_sentence(
    desk: Desk, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    desk.drop(path)
    chip = read(desk)[0]
    assert chip.state == "failed"
    assert words in chip.message
    desk.until(lambda: desk.find_all(QWidget, f"chipNotice_{chip.id}"), "the sentence")
    desk.view.chip_remove_requested.emit(chip.id)
    assert chips(desk) == []


def test_a_missing_file_is_said(desk: Desk, tmp_path: Path) -> None:
    desk.desktop.add_files([str(tmp_path / "gone.txt")])
    assert "no file" in read(desk)[0].message


def test_an_encrypted_pdf_asks_for_its_password(desk: Desk, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "secret.pdf", ["The treasure is buried."], password="tide")
    desk.drop(path)
    chip = read(desk)[0]
    assert chip.state == "failed"
    assert [action.id for action in chip.actions] == ["password"]
    assert desk.chat.chat_id
    desk.desktop.shelf.retry(desk.chat.chat_id, chip.id, "ebb")
    assert "does not open" in read(desk)[0].message
    desk.desktop.shelf.retry(desk.chat.chat_id, read(desk)[0].id, "tide")
    assert read(desk)[0].state == "ready"
    assert "treasure" in desk.chat.prompt("where").documents[0].text


def test_a_password_is_typed_unseen_and_with_its_blanks(desk: Desk, tmp_path: Path) -> None:
    desk.drop(write_pdf(tmp_path / "secret.pdf", ["The treasure is buried."], password=" tide "))
    key = read(desk)[0].id
    desk.view.chip_action_requested.emit(key, "password")
    line = desk.find(QLineEdit, "name_line")
    assert line.echoMode() is QLineEdit.EchoMode.Password
    QTest.keyClicks(line, " tide ")
    desk.press("name_accept")
    assert read(desk)[0].state == "ready"


def test_a_long_paste_becomes_a_document(desk: Desk) -> None:
    data = QMimeData()
    data.setText("depth " * 1000)
    desk.view.composer.input.insertFromMimeData(data)
    assert desk.view.draft() == ""
    chip = read(desk)[0]
    assert chip.state == "ready"
    assert chip.name.startswith("pasted")
    assert desk.chat.prompt("x").documents[0].text.count("depth") == 1000


def test_a_pasted_text_leaves_the_disk_with_its_document(desk: Desk) -> None:
    for word in ("depth", "ebb"):
        data = QMimeData()
        data.setText(f"{word} " * 1500)
        desk.view.composer.input.insertFromMimeData(data)
    first, second = read(desk)
    files = sorted(pasted_dir().iterdir())
    assert len(files) == 2
    chat_id = desk.chat.chat_id or 0
    desk.desktop.shelf.remove(chat_id, first.id)
    desk.settle()
    desk.desktop.library.delete(first.id)
    desk.until(lambda: desk.find_all(QAbstractButton, "toast_action_undo_1"), "the offer")
    desk.press("toast_action_undo_1")
    desk.until(lambda: desk.store.documents.info(first.id), "the document")
    desk.desktop.library.delete(first.id)
    desk.until(lambda: desk.find_all(QAbstractButton, "toast_close_undo_2"), "the offer")
    assert sorted(pasted_dir().iterdir()) == files
    desk.press("toast_close_undo_2")
    desk.until(lambda: len(list(pasted_dir().iterdir())) == 1, "the end of the file")
    (left,) = pasted_dir().iterdir()
    assert "ebb" in left.read_text()
    assert [chip.id for chip in chips(desk)] == [second.id]


def test_pasted_files_are_added(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# Soundings")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    desk.view.composer.input.insertFromMimeData(data)
    assert read(desk)[0].name == "a.md"


def test_what_does_not_fit_offers_choices_and_cannot_be_sent(desk: Desk, tmp_path: Path) -> None:
    desk.load()
    path = write_pdf(tmp_path / "long.pdf", ["word " * 500] * 20)
    desk.drop(path)
    desk.until(lambda: chips(desk) and chips(desk)[0].mode == "passages", "too long to go whole")
    chip = chips(desk)[0]
    assert chip.is_automatic
    assert "tokens too long" in chip.message
    desk.view.ledger_choice_requested.emit(chip.id, "mode:whole")
    desk.until(lambda: chips(desk) and chips(desk)[0].state == "too_large", "too large")
    chip = chips(desk)[0]
    names = [action.id.partition(":")[0] for action in chip.actions]
    assert names == ["more_context", "pages", "passages", "parts", "remove"]
    assert not desk.view.composer._state.can_send
    assert "too long" in desk.view.composer._state.hint
    desk.send("will not go")
    assert desk.view.draft() == "will not go"
    assert not desk.messages()

    pages = next(action.id for action in chip.actions if action.id.startswith("pages:"))
    desk.view.chip_action_requested.emit(chip.id, pages)
    desk.until(lambda: chips(desk)[0].state == "ready", "the pages that fit")
    desk.until(lambda: desk.view.composer._state.can_send)
    QTest.keyClick(desk.view.composer.input, Qt.Key.Key_Return)
    desk.until(lambda: len(desk.messages()) == 2 and desk.chat.replying_in is None)
    records = desk.messages()[0].records
    assert len(records) == 1
    assert "left out" in records[0].text


def test_the_same_file_twice_is_one_document(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("twice")
    desk.drop(path)
    read(desk)
    desk.drop(path)
    desk.until(lambda: len(chips(desk)) == 1 and chips(desk)[0].state == "ready")
    assert len(desk.chat.prompt("x").documents) == 1


def test_a_question_waits_for_a_document_that_is_being_read(desk: Desk, tmp_path: Path) -> None:
    desk.load()
    path = tmp_path / "a.txt"
    path.write_text("late but there")
    desk.drop(path)
    desk.send("why")
    assert desk.engine.session.state is State.READY
    assert desk.chat.queued == ("why",)
    desk.until(lambda: len(desk.messages()) == 2 and desk.chat.replying_in is None)
    assert desk.messages()[0].documents == ("a.txt",)


def test_documents_come_back_with_their_chat(qapp: QApplication, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("still here")
    with open_desk(qapp, command=faulty()) as desk:
        desk.load()
        desk.drop(path)
        read(desk)
        desk.ask("why")
        chat_id = desk.chat.chat_id
    path.unlink()
    with open_desk(qapp, command=faulty()) as desk:
        desk.open_chat(chat_id)
        assert read(desk)[0].name == "a.txt"
        assert "still here" in desk.chat.prompt("x").documents[0].text
        assert desk.messages()[0].documents == ("a.txt",)


def test_what_was_not_read_of_a_document_is_said(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes("Größe, Höhe und Länge der Brücke über die Straße".encode("latin-1"))
    desk.drop(path)
    chip = read(desk)[0]
    assert chip.state == "ready"
    assert "encoded" in chip.message, "its notes reach nobody"
    desk.load()
    desk.ask("why")
    assert "encoded" in desk.messages()[0].records[0].text


def choose(desk: Desk, action: str) -> None:
    """Press a choice under a chip."""
    name = f"chipAction_{action}"
    desk.until(lambda: desk.find_all(QPushButton, name), name)
    desk.press(name)


def test_a_file_that_changed_is_told_and_a_question_waits_for_the_choice(
    desk: Desk, tmp_path: Path
) -> None:
    desk.load()
    path = write_pdf(tmp_path / "lease.pdf", ["The old rent.", "Page two."])
    desk.drop(path)
    desk.until(lambda: read(desk)[0].tokens, "its tokens")
    desk.ask("What is the rent?")
    old = chips(desk)[0].id
    write_pdf(path, ["The new rent.", "Page two."])
    desk.send("And now?")
    desk.until(lambda: chips(desk)[0].state == "changed", "the notice")
    assert len(desk.messages()) == 2
    assert desk.chat.queued == ("And now?",)
    assert "old rent" in desk.chat.prompt("x").documents[0].text

    choose(desk, "read_again")
    desk.until(lambda: len(desk.messages()) == 4 and desk.chat.replying_in is None, "the reply")
    (chip,) = chips(desk)
    assert chip.id != old
    assert "new rent" in desk.chat.prompt("x").documents[0].text
    assert any("read again" in record.text for record in desk.messages()[2].records)
    assert desk.messages()[2].documents == ("lease.pdf",)
    assert desk.desktop.store.documents.get(old) is not None, "older citations lead there"


def test_what_was_read_can_be_kept_and_the_choice_is_remembered(desk: Desk, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "lease.pdf", ["The old rent."])
    desk.drop(path)
    read(desk)
    chat_id = desk.chat.chat_id
    desk.settle()
    write_pdf(path, ["The new rent."])
    desk.open_chat(None)
    desk.desktop.shelf._held.clear()
    desk.open_chat(chat_id)
    desk.until(lambda: chips(desk) and chips(desk)[0].state == "changed", "the notice")
    choose(desk, "keep")
    assert chips(desk)[0].state == "ready"
    desk.settle()
    desk.open_chat(None)
    desk.desktop.shelf._held.clear()
    desk.open_chat(chat_id)
    desk.until(lambda: read(desk)[0].state == "ready", "no notice")
    desk.desktop.files.check()
    desk.until(lambda: not desk.desktop.shelf.is_busy(chat_id or 0), "the check")
    assert chips(desk)[0].state == "ready"
    path.unlink()
    desk.desktop.files.check()
    desk.until(lambda: chips(desk)[0].state == "gone", "that it is gone")
    assert str(path) in chips(desk)[0].message
    assert not desk.desktop.shelf.is_busy(chat_id or 0), "nothing is lost, nothing waits"


def test_a_file_with_the_same_content_and_another_time_is_no_change(
    desk: Desk, tmp_path: Path
) -> None:
    path = write_pdf(tmp_path / "lease.pdf", ["The rent."])
    desk.drop(path)
    read(desk)
    os.utime(path, ns=(5, 5))
    desk.desktop.files.check()
    desk.until(lambda: not desk.desktop.shelf.is_busy(desk.chat.chat_id or 0), "the check")
    assert chips(desk)[0].state == "ready"
    desk.settle()
    (info,) = desk.store.documents.all()
    assert info.mtime_ns == 5


def test_a_check_that_is_over_does_not_end_the_one_behind_it(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_watch, "_LONGEST_WAIT_MS", 300)
    path = tmp_path / "notes.txt"
    path.write_text("Four fathoms.")
    desk.drop(path)
    read(desk)
    chat_id, shelf = desk.chat.chat_id or 0, desk.desktop.shelf
    over: list[bool] = []
    given_up: list[bool] = []
    desk.desktop.files.check(lambda: over.append(shelf.is_busy(chat_id)))
    # Both timers run side by side, and this one fires last.
    QTimer.singleShot(350, desk.desktop, lambda: given_up.append(shelf.is_busy(chat_id)))
    shelf.begin_check(chat_id)
    desk.until(lambda: over, "the first check")
    desk.until(lambda: given_up, "that the first one would have been given up")
    assert (over, given_up) == ([True], [True])
    shelf.end_check(chat_id)
    assert not shelf.is_busy(chat_id)


def test_the_files_are_looked_at_when_the_window_comes_to_the_front(
    desk: Desk, tmp_path: Path, qapp: QApplication
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Four fathoms.")
    desk.drop(path)
    read(desk)
    path.write_text("Five fathoms.")
    qapp.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
    desk.until(lambda: chips(desk)[0].state == "changed", "the notice")
    desk.view.regenerate_requested.emit("1")
    desk.until(lambda: desk.notices, "the reason")
    assert "has changed" in desk.notices[-1]


def test_a_file_that_was_encrypted_meanwhile_takes_its_place_once_the_password_is_there(
    desk: Desk, tmp_path: Path
) -> None:
    path = write_pdf(tmp_path / "lease.pdf", ["The old rent."])
    notes = tmp_path / "notes.txt"
    notes.write_text("Four fathoms.")
    desk.drop(path)
    read(desk)
    desk.drop(notes)
    desk.until(lambda: len(chips(desk)) == 2, "both")
    read(desk)
    write_pdf(path, ["The new rent."], password="tide")
    desk.desktop.files.check()
    desk.until(lambda: chips(desk)[0].state == "changed", "the notice")
    choose(desk, "read_again")
    desk.until(lambda: [chip.state for chip in chips(desk)][:2] == ["changed", "failed"], "a no")
    assert "old rent" in desk.chat.prompt("x").documents[0].text
    desk.desktop.shelf.retry(desk.chat.chat_id or 0, chips(desk)[1].id, "tide")
    desk.until(lambda: len(chips(desk)) == 2, "the new text")
    assert [chip.name for chip in chips(desk)] == ["lease.pdf", "notes.txt"]
    assert "new rent" in desk.chat.prompt("x").documents[0].text


def test_what_the_end_found_unread_is_told_and_can_be_read(
    qapp: QApplication, tmp_path: Path
) -> None:
    path = tmp_path / "harbour.txt"
    path.write_text("The harbour is four fathoms deep.")
    with open_desk(qapp, command=faulty()) as before:
        before.drop(path)
        chat_id = before.chat.ensure_chat()
        before.desktop.shelf.add_text(chat_id, "The tide turns at noon.")
    pasted = list(pasted_dir().iterdir())
    with open_desk(qapp, command=faulty()) as after:
        after.chat.open(chat_id)
        left = read(after)
        assert [chip.state for chip in left] == ["failed", "failed"]
        assert all("was not read: Leadline ended before." in chip.message for chip in left)
        assert {chip.id for chip in left} == {str(path), str(pasted[0])}
        for chip in left:
            after.view.chip_action_requested.emit(chip.id, "retry")
        assert [chip.state for chip in read(after)] == ["ready", "ready"]
    with open_desk(qapp, command=faulty()) as last:
        last.chat.open(chat_id)
        assert [chip.state for chip in read(last)] == ["ready", "ready"]


def test_what_was_not_read_and_is_removed_stays_away(qapp: QApplication, tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with open_desk(qapp, command=faulty()) as before:
        before.drop(path)
        chat_id = before.chat.ensure_chat()
        read(before)
        # A second try stands where the first one was.
        before.drop(path)
        assert len(read(before)) == 1
    with open_desk(qapp, command=faulty()) as after:
        after.chat.open(chat_id)
        after.view.chip_remove_requested.emit(read(after)[0].id)
    with open_desk(qapp, command=faulty()) as last:
        last.chat.open(chat_id)
        assert chips(last) == []


def test_a_paste_that_finds_no_room_is_told(desk: Desk) -> None:
    pasted_dir().parent.mkdir(parents=True, exist_ok=True)
    # A file in the place of the folder: nothing can be written there, whoever asks.
    pasted_dir().write_text("")
    desk.view.long_paste.emit("The tide turns at noon. " * 400)
    assert "could not be kept as a document" in desk.notices[-1]
    assert chips(desk) == []
