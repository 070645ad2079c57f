"""The library in the real application: listed, counted, added, renamed, deleted and undone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPushButton, QWidget

from tests.engine.document_files import write_pdf
from tests.support.desk import Desk, faulty, open_desk
from widgets.section_list import ROW_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.store.rows import DocumentInfo, Saving
    from engine.documents.model import Document
    from widgets.library.page import LibraryPage
    from widgets.library.viewdata import LibraryItemView


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        yield made


@pytest.fixture
def page(desk: Desk) -> LibraryPage:
    desk.desktop.window.show_page("library")
    return desk.desktop.window.library


def shown(page: LibraryPage) -> list[LibraryItemView]:
    rows = [page.list.rows.index(at, 0).data(ROW_ROLE) for at in range(page.list.rows.rowCount())]
    return [row.view for row in rows if not row.is_heading]


def names(page: LibraryPage) -> list[str]:
    return [item.name for item in shown(page)]


def dropped(desk: Desk, page: LibraryPage, *paths: Path) -> None:
    """Drop files on the library and wait until they are read."""
    desk.drop(*paths, on=page)
    wanted = {path.name for path in paths}
    desk.until(
        lambda: wanted <= {item.name for item in shown(page) if not item.is_reading}, "the reading"
    )


def two_documents(desk: Desk, page: LibraryPage, folder: Path) -> None:
    lease = write_pdf(
        folder / "lease.pdf", ["One two three.", "Four five six seven."], pictures=[1]
    )
    notes = folder / "harbour.md"
    notes.write_text("# Harbour\n\nFour fathoms deep.")
    dropped(desk, page, lease, notes)


def test_what_is_dropped_is_listed_with_its_figures(
    desk: Desk, page: LibraryPage, tmp_path: Path
) -> None:
    assert desk.find_all(QWidget, "library_empty")
    two_documents(desk, page, tmp_path)
    assert not desk.find_all(QWidget, "library_empty")
    items = {item.name: item for item in shown(page)}
    lease = items["lease.pdf"]
    assert (lease.format, lease.pages, lease.words) == ("PDF", 2, 7)
    assert lease.unread == "1 image not read"
    assert lease.tokens is None
    assert items["harbour.md"].format == "Markdown"
    assert desk.chat.chat_id is None, "the library alone has them"
    desk.until(lambda: {i.name: i for i in shown(page)}["lease.pdf"].thumbnail, "the first page")

    desk.load()
    desk.until(lambda: all(item.tokens for item in shown(page)), "tokens")
    lease = {item.name: item for item in shown(page)}["lease.pdf"]
    assert lease.tokens_per_page == round((lease.tokens or 0) / 2)
    counts = desk.desktop.places.counting.counts(lease.id)
    assert counts is not None
    assert sum(counts.by_page) == counts.total == lease.tokens


def test_search_and_order(desk: Desk, page: LibraryPage, tmp_path: Path) -> None:
    two_documents(desk, page, tmp_path)
    order = desk.find(QComboBox, "library_order")
    order.setCurrentIndex(order.findData("name"))
    assert names(page) == ["harbour.md", "lease.pdf"]
    order.setCurrentIndex(order.findData("pages"))
    assert names(page) == ["lease.pdf", "harbour.md"]
    for words, found in (("HARB", ["harbour.md"]), ("pdf", ["lease.pdf"]), ("zebra", [])):
        desk.find(QLineEdit, "library_search").setText(words)
        assert names(page) == found, words


def test_a_document_is_listed_once_while_its_reading_ends(
    desk: Desk, page: LibraryPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "harbour.md"
    notes.write_text("# Harbour\n\nFour fathoms deep.")
    put, is_stored, goes_on = desk.store.documents.put, threading.Event(), threading.Event()

    def held_up(document: Document) -> Saving[DocumentInfo]:
        saving = put(document)
        saving.done.result()
        is_stored.set()
        goes_on.wait(60)
        return saving

    monkeypatch.setattr(desk.store.documents, "put", held_up)
    desk.drop(notes, on=page)
    assert [item.is_reading for item in shown(page)] == [True]
    desk.until(is_stored.is_set, "the document in the store")
    desk.desktop.library.refresh()
    seen = [(item.name, item.is_reading) for item in shown(page)]
    goes_on.set()
    assert seen == [("harbour.md", False)]
    desk.until(lambda: not desk.desktop.library._readings, "the end of the reading")
    assert names(page) == ["harbour.md"]


def test_a_document_joins_the_chat_once(desk: Desk, page: LibraryPage, tmp_path: Path) -> None:
    two_documents(desk, page, tmp_path)
    page.choose(next(item.id for item in shown(page) if item.name == "lease.pdf"))
    desk.press("library_attach")
    desk.until(lambda: desk.view.composer._chips, "its chip")
    desk.until(
        lambda: {item.name for item in shown(page) if item.is_in_chat} == {"lease.pdf"}, "the mark"
    )
    assert not desk.find(QPushButton, "library_attach").isEnabled()
    desk.view.composer.chip_open_requested.emit(desk.view.composer._chips[0].id)
    desk.until(lambda: desk.desktop.viewing.viewer, "the document")


def test_renaming_reaches_the_chat_and_stays(desk: Desk, page: LibraryPage, tmp_path: Path) -> None:
    two_documents(desk, page, tmp_path)
    page.choose(next(item.id for item in shown(page) if item.name == "lease.pdf"))
    desk.press("library_attach")
    page.list.setFocus()
    QTest.keyClick(page.list, Qt.Key.Key_F2)
    line = desk.find(QLineEdit, "name_line")
    line.setText("The flat")
    desk.press("name_accept")
    desk.until(lambda: "The flat" in names(page), "the new name")
    desk.until(lambda: desk.view.composer._chips[0].name == "The flat", "the chip")
    desk.until(lambda: desk.chat.prompt("x").documents, "the text")
    assert desk.chat.prompt("x").documents[0].name == "The flat"
    dropped_again = tmp_path / "lease.pdf"
    desk.desktop.library.add_files([str(dropped_again)])
    desk.until(lambda: not any(item.is_reading for item in shown(page)), "the reading")
    assert "The flat" in names(page)


def test_deleting_names_the_chats_and_can_be_undone(
    desk: Desk, page: LibraryPage, tmp_path: Path
) -> None:
    two_documents(desk, page, tmp_path)
    desk.load()
    lease = next(item.id for item in shown(page) if item.name == "lease.pdf")
    page.choose(lease)
    desk.press("library_attach")
    desk.until(lambda: desk.view.composer._chips, "its chip")
    desk.desktop.chat.rename(desk.chat.chat_id or 0, "Flat hunting")
    desk.until(lambda: shown(page)[-1].chats or shown(page)[0].chats, "its chat")
    page.delete_requested.emit(lease)
    asking = desk.find(QWidget, "confirm")
    assert any("“Flat hunting”" in label.text() for label in asking.findChildren(QLabel))
    desk.press("confirm_act")
    desk.until(lambda: names(page) == ["harbour.md"], "the deletion")
    assert desk.view.composer._chips == ()
    assert desk.chat.prompt("x").documents == ()
    desk.undos[-1]()
    desk.until(lambda: len(shown(page)) == 2, "the undo")
    desk.until(lambda: desk.chat.prompt("x").documents, "its text in the chat")

    page.choose(next(item.id for item in shown(page) if item.name == "harbour.md"))
    page.list.setFocus()
    QTest.keyClick(page.list, Qt.Key.Key_Delete)
    desk.until(lambda: names(page) == ["lease.pdf"], "the deletion without a question")


def test_what_cannot_be_read_leaves_the_list(desk: Desk, page: LibraryPage, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    desk.desktop.library.add_files([str(empty)])
    assert [item.is_reading for item in shown(page)] == [True]
    desk.until(lambda: desk.notices, "the sentence")
    assert "empty" in desk.notices[-1]
    assert shown(page) == []


def test_what_the_end_found_unread_is_offered(qapp: QApplication, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.txt" for name in ("tide", "quay")]
    for file in files:
        file.write_text("Four fathoms deep.")
    with open_desk(qapp, command=faulty()) as before:
        before.desktop.library.add_files([str(file) for file in files])
    with open_desk(qapp, command=faulty()) as after:
        page = after.desktop.window.library
        after.desktop.window.show_page("library")
        toasts = after.desktop.window.toasts
        after.until(toasts.texts, "the offer")
        assert "tide.txt, quay.txt" in toasts.texts()[0]
        [read_now] = [
            each
            for each in toasts.findChildren(QPushButton)
            if each.objectName().startswith("toast_action_offer")
        ]
        read_now.click()
        after.until(
            lambda: len([item for item in shown(page) if not item.is_reading]) == 1,
            "the reading: both hold the same",
        )
        after.until(lambda: not after.desktop.store.unread.all(), "the end of it")
    with open_desk(qapp, command=faulty()) as last:
        assert last.desktop.window.toasts.texts() == []
