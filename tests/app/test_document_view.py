"""The document view in the real application: pages, search, passwords, files that changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPlainTextEdit, QWidget

from tests.engine.document_files import write_pdf
from tests.support.desk import Desk, faulty, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from widgets.documents.page_view import PageViewer

PAGES = [
    "Preface\nWhat the lease is about.",
    "1. Rent\nThe rent is due. The rent is nine hundred.",
    "2. Keys\nA spare key is in the cellar.",
    "3. Rent of the garage\nIts RENT is fifty.",
]


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        yield made


def added(desk: Desk, path: Path) -> str:
    """Read a file into the library; its id."""
    before = {info.id for info in desk.store.documents.all()}
    desk.desktop.library.add_files([str(path)])
    desk.until(lambda: len(desk.store.documents.all()) > len(before), "the document")
    return next(info.id for info in desk.store.documents.all() if info.id not in before)


def opened(desk: Desk, document_id: str) -> PageViewer:
    desk.desktop.viewing.open_document(document_id)
    desk.until(lambda: desk.desktop.viewing.viewer is not None, "the viewer")
    viewer = desk.desktop.viewing.viewer
    assert viewer is not None
    return viewer


def notice(desk: Desk, viewer: PageViewer) -> str:
    """What the bar over the page says; empty while it is not there."""
    shown = desk.find_all(QLabel, "pageNoticeText", viewer)
    return shown[0].text() if shown else ""


@pytest.fixture
def viewer(desk: Desk, tmp_path: Path) -> PageViewer:
    path = write_pdf(
        tmp_path / "lease.pdf",
        PAGES,
        labels="0 << /S /r >> 1 << /S /D >>",
        outline=[("Rent", 1), ("Keys", 2)],
        pictures=[2],
    )
    return opened(desk, added(desk, path))


def wheel(viewer: PageViewer, at: QPoint, notches: int) -> None:
    """Turn the wheel over the page with Ctrl held."""
    room = viewer.picture.viewport()
    event = QWheelEvent(
        QPointF(at),
        QPointF(room.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(room, event)


def is_sharp(viewer: PageViewer) -> bool:
    """Whether the page was drawn for the size it is shown at."""
    sheet = viewer.picture.sheet
    return sheet.image().width() == round(sheet.width() * sheet.devicePixelRatioF())


def test_the_page_is_zoomed_and_drawn_anew(desk: Desk, viewer: PageViewer) -> None:
    picture = viewer.picture
    desk.until(lambda: is_sharp(viewer), "a page drawn for the room there is")
    shown = desk.find(QLabel, "zoomPercent", viewer)
    fitting = shown.text()
    assert picture.fills_width
    assert picture.horizontalScrollBar().maximum() == 0

    QTest.keyClick(viewer, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert shown.text() == "100 %"
    assert picture.sheet.width() == 816, "612 points are 816 pixels"
    QTest.keyClick(viewer, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    assert shown.text() == "110 %"
    QTest.keyClick(viewer, Qt.Key.Key_Minus, Qt.KeyboardModifier.ControlModifier)
    desk.press("zoomIn", viewer)
    desk.press("zoomIn", viewer)
    assert shown.text() == "125 %"
    desk.until(lambda: is_sharp(viewer), "a page drawn for 125 %")
    QTest.keyClick(viewer, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert shown.text() == fitting
    for _ in range(40):
        picture.step(1)
    assert shown.text() == "400 %"
    desk.until(lambda: is_sharp(viewer), "a page drawn for 400 %")


def test_what_is_under_the_pointer_stays_there(desk: Desk, viewer: PageViewer) -> None:
    picture = viewer.picture
    viewer.resize(1160, 800)
    picture.zoom_to(150)
    desk.until(lambda: is_sharp(viewer), "the page")
    at = QPoint(picture.viewport().width() // 3, picture.viewport().height() // 2)

    def under() -> tuple[float, float]:
        spot = picture.sheet.mapFrom(picture.viewport(), at)
        return spot.x() / picture.sheet.width(), spot.y() / picture.sheet.height()

    before = under()
    for notches in (3, 4, -2):
        wheel(viewer, at, notches)
        assert under() == pytest.approx(before, abs=0.003)
    desk.until(lambda: is_sharp(viewer), "the page drawn anew")
    assert under() == pytest.approx(before, abs=0.003), "it moved when the sharp page came"
    assert not picture.fills_width


def test_a_match_is_marked_at_its_place_at_every_size(desk: Desk, viewer: PageViewer) -> None:
    picture = viewer.picture
    desk.until(lambda: is_sharp(viewer), "the page")
    picture.zoom_to(400)
    viewer.matches.search_for("fifty")
    desk.until(lambda: viewer._page.number == 4, "the match's page")
    desk.until(lambda: picture.sheet.boxes() and is_sharp(viewer), "the mark")
    mark = picture.sheet.placed(picture.sheet.boxes()[0][0]).toRect()
    seen = picture.viewport().rect()
    assert seen.contains(picture.sheet.mapTo(picture.viewport(), mark.center())), "out of sight"
    ink = picture.sheet.image()
    inside = ink.copy(mark)
    dark = [
        (x, y)
        for x in range(0, inside.width(), 2)
        for y in range(0, inside.height(), 2)
        if inside.pixelColor(x, y).lightness() < 100
    ]
    assert dark, "there are no letters under the mark"
    picture.verticalScrollBar().setValue(0)
    viewer.resolution_wanted.emit(900)
    desk.until(lambda: picture.sheet.image().width() == 900, "the page drawn anew")
    assert picture.verticalScrollBar().value() == 0, "drawing anew scrolled"


def test_pages_are_turned_by_keyboard_number_label_and_contents(
    desk: Desk, viewer: PageViewer
) -> None:
    place = desk.find(QLabel, "pagePlace", viewer)
    assert place.text() == "of 4 · label “i”"
    QTest.keyClick(viewer, Qt.Key.Key_PageDown)
    assert viewer._page.number == 2
    assert viewer.outline.current_id() == "0"
    QTest.keyClick(viewer, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    assert viewer._page.number == 4
    QTest.keyClick(viewer, Qt.Key.Key_PageUp)
    assert viewer._page.number == 3
    assert "One image on this page" in desk.find(QLabel, "pageUnread", viewer).text()
    number = desk.find(QLineEdit, "pageNumber", viewer)
    for typed, page in (("i", 1), ("3", 4), ("99", 4), ("nonsense", 4)):
        number.setText(typed)
        QTest.keyClick(number, Qt.Key.Key_Return)
        assert viewer._page.number == page, typed
    viewer.outline.opened.emit("1")
    assert viewer._page.number == 3
    desk.until(lambda: not viewer.picture.sheet.image().isNull(), "the picture")


def test_search_counts_steps_and_marks_the_page_itself(desk: Desk, viewer: PageViewer) -> None:
    QTest.keyClick(viewer, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(viewer.matches.line, "rent")
    desk.until(lambda: viewer.matches.count.text() == "1 of 5", "the first match")
    assert viewer._page.number == 2
    text = desk.find(QPlainTextEdit, "pageText", viewer)
    assert [mark.cursor.selectedText() for mark in text.extraSelections()] == ["Rent"] + [
        "rent"
    ] * 2
    desk.until(lambda: len(viewer.picture.sheet.boxes()) == 3, "marks on the page")
    tops = [lines[0].top() for lines in viewer.picture.sheet.boxes()]
    assert tops[0] < tops[1] == pytest.approx(tops[2], abs=0.01)
    QTest.keyClick(viewer.matches.line, Qt.Key.Key_Return)
    assert (viewer.matches.count.text(), viewer._page.current) == ("2 of 5", 1)
    QTest.keyClick(viewer.matches.line, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(viewer, Qt.Key.Key_F3, Qt.KeyboardModifier.ShiftModifier)
    assert (viewer.matches.count.text(), viewer._page.number) == ("5 of 5", 4)
    viewer.matches.line.setText("the\n  rent is nine")
    QTest.keyClick(viewer.matches.line, Qt.Key.Key_Return)
    desk.until(lambda: viewer.matches.count.text() == "1 of 1", "words over blanks")
    viewer.matches.line.setText("zebra")
    QTest.keyClick(viewer.matches.line, Qt.Key.Key_Return)
    desk.until(lambda: viewer.matches.count.text() == "not found", "nothing")
    QTest.keyClick(viewer.matches.line, Qt.Key.Key_Escape)
    assert viewer.matches.count.text() == ""
    assert viewer._page.spans == ()
    QTest.keyClick(viewer, Qt.Key.Key_Escape)
    desk.until(lambda: desk.desktop.viewing.viewer is None, "the viewer to close")


def test_a_page_says_its_tokens_once_a_model_is_there(desk: Desk, viewer: PageViewer) -> None:
    assert viewer._page.tokens is None
    desk.load()
    desk.until(lambda: viewer._page.tokens, "the tokens")
    assert "tokens" in desk.find(QLabel, "pagePlace", viewer).text()


def test_an_encrypted_file_shows_its_text_and_asks_for_the_password(
    desk: Desk, tmp_path: Path
) -> None:
    path = write_pdf(tmp_path / "secret.pdf", ["The treasure is buried."], password="tide")
    desk.desktop.library.add_files([str(path)])
    for entered in ("ebb", "tide"):
        desk.until(lambda: desk.find_all(QLineEdit, "name_line"), "the question")
        QTest.keyClicks(desk.find(QLineEdit, "name_line"), entered)
        desk.press("name_accept")
        desk.until(lambda: not desk.find_all(QLineEdit, "name_line"), "the dialog to close")
    desk.until(lambda: desk.store.documents.all(), "the document")
    # As after the program was started again.
    desk.desktop.reader.passwords.clear()
    viewer = opened(desk, desk.store.documents.all()[0].id)
    desk.until(lambda: "encrypted" in notice(desk, viewer), "the notice")
    assert "treasure" in desk.find(QPlainTextEdit, "pageText", viewer).toPlainText()
    desk.press("pageNoticeAct", viewer)
    QTest.keyClicks(desk.find(QLineEdit, "name_line", viewer), "ebb")
    desk.press("name_accept", viewer)
    desk.until(lambda: "does not open" in notice(desk, viewer), "the refusal")
    desk.press("pageNoticeAct", viewer)
    QTest.keyClicks(desk.find(QLineEdit, "name_line", viewer), "tide")
    desk.press("name_accept", viewer)
    desk.until(lambda: not viewer.picture.sheet.image().isNull(), "the picture")
    assert notice(desk, viewer) == ""


def test_a_password_typed_for_a_chat_opens_the_view_and_is_not_on_the_disk(
    desk: Desk, tmp_path: Path, leadline_home: Path
) -> None:
    desk.drop(write_pdf(tmp_path / "secret.pdf", ["The treasure is buried."], password="ebb-tide"))
    chat_id = desk.chat.chat_id
    assert chat_id is not None
    desk.until(lambda: any(one.state == "failed" for one in desk.desktop.shelf.held(chat_id)))
    desk.desktop.shelf.retry(chat_id, desk.desktop.shelf.held(chat_id)[0].key, "ebb-tide")
    desk.until(lambda: desk.store.documents.all(), "the document")
    viewer = opened(desk, desk.store.documents.all()[0].id)
    desk.until(lambda: not viewer.picture.sheet.image().isNull(), "the picture, unasked")
    assert notice(desk, viewer) == ""
    desk.settle()
    files = [path for path in leadline_home.rglob("*") if path.is_file()]
    assert files
    assert not any(b"ebb-tide" in path.read_bytes() for path in files)


def test_a_changed_file_is_read_again_when_asked(desk: Desk, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "lease.pdf", ["The old rent."])
    first = added(desk, path)
    os.utime(path, ns=(1, 1))
    viewer = opened(desk, first)
    assert notice(desk, viewer) == "", "the content is the same"
    viewer.close()
    desk.until(lambda: desk.desktop.viewing.viewer is None, "the viewer to close")

    write_pdf(path, ["The new rent."])
    viewer = opened(desk, first)
    assert "changed on disk" in notice(desk, viewer)
    assert not viewer.picture.isVisible()
    desk.press("pageNoticeAct", viewer)
    text = desk.find(QPlainTextEdit, "pageText", viewer)
    desk.until(lambda: text.toPlainText() == "The new rent.", "the new text")
    assert notice(desk, viewer) == ""
    assert len(desk.store.documents.all()) == 2

    path.unlink()
    viewer.close()
    desk.until(lambda: desk.desktop.viewing.viewer is None, "the viewer to close")
    viewer = opened(desk, first)
    assert str(path) in notice(desk, viewer)


def test_other_formats_are_shown_as_text_without_excuses(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Harbour\n\nFour fathoms.")
    viewer = opened(desk, added(desk, path))
    assert not viewer.picture.isVisible()
    assert notice(desk, viewer) == ""
    assert not desk.find_all(QWidget, "pageUnread", viewer)
