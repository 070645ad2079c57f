"""The sidebar sorts, searches, renames in place, and never deletes by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from tests.widgets import frame_states as states
from widgets import theme
from widgets.sidebar.rows import chat_rows, document_rows
from widgets.sidebar.sidebar import Sidebar
from widgets.sidebar.viewdata import ChatItemView, DocumentItemView, Section, section_of

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

NOW = datetime(2026, 3, 1, 0, 10, tzinfo=UTC)


@pytest.fixture
def sidebar(qtbot: QtBot, qapp: QApplication) -> Sidebar:
    theme.apply(qapp, "light")
    made = Sidebar((("chat", "Chat"), ("models", "Models")))
    qtbot.addWidget(made)
    made.resize(240, 800)
    made.set_chats(states.CHATS, states.NOW)
    made.set_documents(states.DOCUMENTS)
    made.show()
    QApplication.processEvents()
    return made


def chat(**changes: object) -> ChatItemView:
    fields: dict[str, object] = {"id": "1", "title": "t", "updated_at": NOW, **changes}
    return ChatItemView(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes_ago", "section"),
    [
        (0, Section.TODAY),
        (9, Section.TODAY),
        (11, Section.YESTERDAY),
        (24 * 60 + 11, Section.EARLIER),
    ],
)
def test_days_change_at_midnight(minutes_ago: int, section: Section) -> None:
    assert section_of(chat(updated_at=NOW - timedelta(minutes=minutes_ago)), NOW) is section


def test_sections_come_in_order_and_newest_first() -> None:
    rows = chat_rows(states.CHATS, states.NOW)
    headings = [row.text for row in rows if row.is_heading]
    assert headings == ["Pinned", "House", "Today", "Yesterday", "Earlier"]
    today = [row.id for row in rows[rows.index(next(r for r in rows if r.text == "Today")) :]]
    assert today[1:4] == ["1", "2", "3"]


@given(
    st.lists(
        st.builds(
            chat,
            id=st.uuids().map(str),
            updated_at=st.integers(0, 90).map(lambda days: NOW - timedelta(days=days)),
            is_pinned=st.booleans(),
            folder=st.sampled_from(["", "House", "Today", "Work"]),
        ),
        max_size=30,
        unique_by=lambda item: item.id,
    )
)
def test_every_chat_is_listed_once_under_a_heading(chats: list[ChatItemView]) -> None:
    rows = chat_rows(chats, NOW)
    assert sorted(row.id for row in rows if not row.is_heading) == sorted(c.id for c in chats)
    assert not rows or rows[0].is_heading
    headings = [row.text for row in rows if row.is_heading]
    assert len(headings) == len(set(headings))


def test_choosing_a_chat_by_keyboard_skips_headings(sidebar: Sidebar, qtbot: QtBot) -> None:
    sidebar.set_current_chat("5")
    sidebar.chats.setFocus()
    QTest.keyClick(sidebar.chats, Qt.Key.Key_Down)
    assert sidebar.chats.current_id() == "6"
    with qtbot.waitSignal(sidebar.chat_selected) as chosen:
        QTest.keyClick(sidebar.chats, Qt.Key.Key_Return)
    assert chosen.args == ["6"]


def test_tab_shows_where_it_is_in_the_list_and_chooses_nothing(sidebar: Sidebar) -> None:
    sidebar.set_current_chat("")
    sidebar.chats.setFocus(Qt.FocusReason.TabFocusReason)
    assert not sidebar.chats.rows.row_at(sidebar.chats.currentIndex().row()).is_heading
    assert not sidebar.chats.selectionModel().hasSelection()


def test_f2_renames_in_place(sidebar: Sidebar, qtbot: QtBot) -> None:
    sidebar.set_current_chat("2")
    sidebar.chats.setFocus()
    QTest.keyClick(sidebar.chats, Qt.Key.Key_F2)
    editor = sidebar.chats.viewport().findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    QTest.keyClicks(editor, "Lazy evaluation")
    with qtbot.waitSignal(sidebar.chat_renamed) as renamed:
        QTest.keyClick(editor, Qt.Key.Key_Return)
    assert renamed.args == ["2", "Lazy evaluation"]


def test_an_empty_name_changes_nothing(sidebar: Sidebar, qtbot: QtBot) -> None:
    index = sidebar.chats.rows.index_of("2")
    with qtbot.assertNotEmitted(sidebar.chat_renamed):
        assert not sidebar.chats.rows.setData(index, "   ")


def test_delete_asks_the_owner_and_keeps_the_row(sidebar: Sidebar, qtbot: QtBot) -> None:
    sidebar.set_current_chat("4")
    with qtbot.waitSignal(sidebar.chat_delete_requested) as asked:
        QTest.keyClick(sidebar.chats, Qt.Key.Key_Delete)
    assert asked.args == ["4"]
    assert sidebar.chats.rows.index_of("4").isValid()
    with qtbot.assertNotEmitted(sidebar.chat_delete_requested):
        QTest.keyClick(sidebar.chats, Qt.Key.Key_Backspace)


def test_the_menu_does_what_it_says(sidebar: Sidebar, qtbot: QtBot) -> None:
    menu = sidebar.chat_menu(states.CHATS[0])
    words = [act.text() for act in menu.actions() if act.text()]
    assert words == ["Rename", "Pin", "Folder", "Export", "Import chats …", "Delete"]
    with qtbot.waitSignal(sidebar.chat_pin_changed) as pinned:
        menu.actions()[1].trigger()
    assert pinned.args == ["1", True]
    export = next(act for act in menu.actions() if act.text() == "Export").menu()
    assert isinstance(export, QMenu)
    with qtbot.waitSignal(sidebar.chat_export_requested) as exported:
        export.actions()[1].trigger()
    assert exported.args == ["1", "json"]
    folders = next(act for act in menu.actions() if act.text() == "Folder").menu()
    assert isinstance(folders, QMenu)
    with qtbot.waitSignal(sidebar.chat_folder_changed) as moved:
        folders.actions()[0].trigger()
    assert moved.args == ["1", "House"]
    menu.close()


def test_search_reports_after_a_pause_and_shows_hits(sidebar: Sidebar, qtbot: QtBot) -> None:
    with qtbot.waitSignal(sidebar.search_changed, timeout=30_000) as asked:
        QTest.keyClicks(sidebar.search, "notice")
    assert asked.args == ["notice"]
    sidebar.set_hits("notice", states.HITS)
    assert sidebar.hits.isVisible()
    with qtbot.waitSignal(sidebar.hit_selected) as hit:
        sidebar.hits.opened.emit("1\nm1")
    assert hit.args == ["1", "m1"]


def test_an_answer_to_an_older_search_is_dropped(sidebar: Sidebar) -> None:
    sidebar.search.setText("not")
    sidebar.set_hits("notice", states.HITS)
    assert not sidebar.hits.isVisible()
    sidebar.search.clear()


def test_nothing_found_is_said_and_escape_ends_the_search(sidebar: Sidebar, qtbot: QtBot) -> None:
    sidebar.search.setText("zebra")
    sidebar.set_hits("zebra", ())
    assert sidebar._nothing.isVisible()
    assert "zebra" in sidebar._nothing.text()
    with qtbot.waitSignal(sidebar.search_changed) as ended:
        QTest.keyClick(sidebar.search, Qt.Key.Key_Escape)
    assert ended.args == [""]
    assert sidebar.chats.isVisible()


def test_the_open_chat_stays_chosen_when_the_list_changes(sidebar: Sidebar) -> None:
    sidebar.set_current_chat("3")
    sidebar.set_chats(states.CHATS[1:], states.NOW)
    assert sidebar.chats.current_id() == "3"
    sidebar.set_chats((), states.NOW)
    assert sidebar.chats.current_id() == ""
    assert sidebar._no_chats.isVisible()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (DocumentItemView("1", "a.pdf", "ready", 212, 17_600), "ready"),
        (DocumentItemView("1", "a.pdf", "on_disk", 2415), "2,415 pages"),
        (DocumentItemView("1", "a.pdf"), "on disk"),
        (DocumentItemView("1", "a.pdf", "failed", problem="It is empty."), "It is empty."),
    ],
)
def test_a_screen_reader_hears_a_documents_state(document: DocumentItemView, words: str) -> None:
    rows = document_rows((document,))
    assert words in rows[0].detail
