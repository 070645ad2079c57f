"""Documents sent as passages, and what replies cite, in the real window."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPlainTextEdit

from app.chat import citing
from tests.engine.document_files import write_pdf
from tests.support.desk import Desk, faulty, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from engine.worker.protocol import Prompt

PAGES = [
    "1. Rent\nOne two three four five euro a month, six seven eight by the working day.",
    "2. Keys\nThe landlord keeps a spare key in the cellar behind the boiler.",
    "3. Notice\nThe tenant may end this lease with six weeks' notice in writing.",
]
WHERE = "Where is the spare key kept?"


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        made.load()
        made.drop(write_pdf(tmp_path / "lease.pdf", PAGES))
        made.until(lambda: made.view.composer._chips, "a chip")
        made.until(lambda: made.view.composer._chips[0].tokens, "its tokens")
        yield made


def sent(desk: Desk) -> list[Prompt]:
    """What is sent to the engine from now on."""
    prompts: list[Prompt] = []
    generate = desk.engine.generate

    def noting(prompt, generation):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        prompts.append(prompt)
        return generate(prompt, generation)

    desk.engine.generate = noting  # type: ignore[method-assign]
    return prompts


def choose(desk: Desk, mode: str) -> None:
    key = desk.view.composer._chips[0].id
    desk.view.chip_action_requested.emit(key, mode)
    desk.until(lambda: desk.view.composer._chips[0].mode == mode, mode)


def test_a_whole_document_goes_with_the_instruction_to_cite_it(desk: Desk) -> None:
    prompts = sent(desk)
    desk.ask(WHERE)
    assert len(prompts[0].documents) == 1
    assert "[lease p. 1]" in prompts[0].instruction
    assert prompts[0].passages == ""
    assert desk.messages()[0].records == ()


def test_passages_go_with_their_question_and_are_recorded(desk: Desk) -> None:
    prompts = sent(desk)
    choose(desk, "passages")
    desk.ask(WHERE)
    (prompt,) = prompts
    assert prompt.documents == ()
    assert "[lease p. 2]" in prompt.passages
    assert "behind the boiler" in prompt.passages
    assert "euro a month" not in prompt.passages
    (record,) = desk.messages()[0].records
    assert record.text.startswith("1 of 3 passages from lease.pdf were given to the model (")
    desk.view.record_action_requested.emit(desk.messages()[0].id, record.id)
    panel = desk.desktop.passages
    assert panel.isVisible()
    assert panel.view.question == WHERE
    (shown,) = panel.view.found
    assert (shown.anchor, shown.document, shown.left_out) == ("p. 2", "lease.pdf", "")
    assert "behind the boiler" in shown.text
    assert (shown.words.place, shown.meaning, shown.both.place) == (1, None, 1)

    # The same bytes again, without another search: they may be in the KV cache.
    desk.view.regenerate_requested.emit(desk.messages()[1].id)
    desk.until(lambda: len(prompts) == 2 and desk.chat.replying_in is None)
    assert prompts[1].passages == prompt.passages

    desk.ask("How many weeks is the notice?")
    assert "six weeks" in prompts[2].passages
    assert "boiler" not in prompts[2].passages
    assert prompts[2].turns[0].text == WHERE


def test_a_passage_opens_its_page_and_the_panel_follows_the_chat(desk: Desk) -> None:
    panel, viewing = desk.desktop.passages, desk.desktop.viewing
    choose(desk, "passages")
    desk.ask(WHERE)
    desk.desktop.window.actions_by_name["passages"].trigger()
    assert panel.view.question == WHERE
    (card,) = panel.cards
    assert card.hasFocus()
    QTest.keyClick(card, Qt.Key.Key_Return)
    desk.until(lambda: viewing.viewer is not None, "the viewer")
    viewer = viewing.viewer
    assert viewer is not None
    desk.until(lambda: "boiler" in desk.find(QPlainTextEdit, "pageText", viewer).toPlainText())
    marks = desk.find(QPlainTextEdit, "pageText", viewer).extraSelections()
    assert any("behind the boiler" in mark.cursor.selectedText() for mark in marks)
    viewer.close()
    desk.until(lambda: viewing.viewer is None, "the viewer to close")

    desk.ask("How many weeks is the notice?")
    assert panel.view.question.startswith("How many")
    assert [one.anchor for one in panel.view.found] == ["p. 3"]
    first = desk.messages()[0]
    desk.view.record_action_requested.emit(first.id, first.records[0].id)
    assert panel.view.question == WHERE
    desk.open_chat(None)
    assert panel.view.question == ""
    desk.until(lambda: desk.find_all(QLabel, "passagesEmpty", panel), "the empty panel")
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    assert not panel.isVisible()


def test_a_question_that_no_page_answers_says_so(desk: Desk) -> None:
    prompts = sent(desk)
    choose(desk, "passages")
    desk.ask("Zebra?")
    assert prompts[0].passages == ""
    (record,) = desk.messages()[0].records
    assert record.text.startswith("No passage of lease.pdf")


def test_the_ledger_counts_the_passages_of_the_draft(desk: Desk) -> None:
    choose(desk, "passages")
    desk.write(WHERE)
    desk.until(lambda: "boiler" in desk.chat.prompt(WHERE).passages, "passages of the draft")
    asked = desk.desktop.ledger
    desk.until(lambda: asked._asked is not None and "boiler" in asked._asked[0].passages)


def test_the_mode_is_kept_and_can_be_changed_back(qapp: QApplication, tmp_path: Path) -> None:
    with open_desk(qapp, command=faulty()) as desk:
        desk.load()
        desk.drop(write_pdf(tmp_path / "lease.pdf", PAGES))
        desk.until(lambda: desk.view.composer._chips and desk.view.composer._chips[0].tokens)
        choose(desk, "passages")
        desk.ask(WHERE)
        chat_id = desk.chat.chat_id
        record = desk.messages()[0].records[0].text
        desk.settle()
    with open_desk(qapp, command=faulty()) as desk:
        desk.load()
        desk.open_chat(chat_id)
        desk.until(lambda: desk.view.composer._chips[0].mode == "passages")
        assert desk.messages()[0].records[0].text == record
        prompts = sent(desk)
        choose(desk, "whole")
        desk.view.regenerate_requested.emit(desk.messages()[1].id)
        desk.until(lambda: prompts and desk.chat.replying_in is None)
        assert prompts[0].passages == ""
        assert len(prompts[0].documents) == 1


def test_the_engine_may_die_while_passages_are_searched(desk: Desk) -> None:
    choose(desk, "passages")
    desk.send(WHERE)
    desk.engine.restart()
    desk.until(lambda: len(desk.messages()) == 2 and desk.chat.replying_in is None)
    assert desk.messages()[0].text == WHERE
    assert desk.messages()[0].records


@pytest.mark.parametrize(
    ("asking", "change"),
    [("send", "undo"), ("send", "version"), ("edit", "undo"), ("regenerate", "delete")],
)
def test_what_is_shown_while_passages_are_searched_is_what_is_asked(
    desk: Desk, asking: str, change: str
) -> None:
    for text in ("Keys?", "Rent?", "Notice?"):
        desk.ask(text)
    chat_id = desk.chat.chat_id
    assert chat_id is not None
    if change == "version":
        desk.view.edit_resend_requested.emit(desk.messages()[4].id, "Cellar?")
        desk.until(lambda: desk.messages()[4].text == "Cellar?", "the edited question")
        desk.until(lambda: desk.chat.replying_in is None)
        expected = ["Keys?", "Rent?", "Notice?"]
    elif change == "undo":
        desk.view.delete_requested.emit(desk.messages()[4].id)
        desk.until(lambda: len(desk.messages()) == 4)
        expected = ["Keys?", "Rent?", "Notice?"]
    else:
        expected = ["Keys?", "Rent?"]

    choose(desk, "passages")
    prompts = sent(desk)
    may_search = threading.Event()
    desk.desktop.search._thread.submit(may_search.wait, 60)
    shown = desk.messages()
    last = shown[-1].id
    if asking == "send":
        desk.send(WHERE)
        expected = [*expected, WHERE]
    elif asking == "edit":
        desk.view.edit_resend_requested.emit(shown[2].id, WHERE)
        expected = ["Keys?", WHERE]
    else:
        desk.view.regenerate_requested.emit(shown[3].id)
        expected = ["Keys?", "Rent?"]
    if change == "undo":
        desk.undos[-1]()
    elif change == "version":
        desk.view.version_requested.emit(shown[4].id, 0)
    else:
        desk.view.delete_requested.emit(shown[4].id)
    desk.until(lambda: desk.messages()[-1].id != last, "the change")
    assert not prompts
    may_search.set()
    desk.until(lambda: prompts and desk.chat.replying_in is None, "the reply")
    desk.settle()

    texts = [message.text for message in desk.messages()]
    assert [message.text for message in desk.stored()] == texts
    assert texts[::2] == expected
    asked = [turn.text for turn in prompts[-1].turns if turn.role == "user"]
    assert len(asked) == len(expected)
    assert all(text in turn for text, turn in zip(expected, asked, strict=True))
    desk.open_chat(None)
    desk.open_chat(chat_id)
    assert [message.text for message in desk.messages()] == texts


@pytest.fixture
def citing_desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    reply = (
        'They say "a spare key in the cellar" [lease p. 2]. '
        'The rent is "900 euro" [lease p. 1]. And more [lease p. 7].'
    )
    env = {"FAULTY_REPLY": reply}
    with open_desk(qapp, command=faulty(), env=env) as made:
        made.load()
        made.drop(write_pdf(tmp_path / "lease.pdf", PAGES))
        made.until(lambda: made.view.composer._chips and made.view.composer._chips[0].tokens)
        yield made


def test_citations_are_checked_shown_and_kept(citing_desk: Desk) -> None:
    desk = citing_desk
    desk.ask(WHERE)
    desk.until(lambda: desk.messages()[-1].citations, "citations")
    shown = desk.messages()[-1].citations
    assert [(one.text, one.state) for one in shown] == [
        ("[lease p. 2]", "found"),
        ("[lease p. 1]", "missing"),
        ("[lease p. 7]", "missing"),
    ]
    cited = desk.chat.citation(shown[0].target)
    assert cited is not None
    assert (cited.page_number, cited.quote) == (2, "a spare key in the cellar")
    assert cited.span is not None
    kept = desk.stored()[-1]
    assert citing.citation_views(kept) == shown
    assert desk.messages()[-1].stats is not None
    chat_id = desk.chat.chat_id
    desk.open_chat(None)
    desk.open_chat(chat_id)
    assert desk.messages()[-1].citations == shown
    assert desk.chat.citation("cite:1:0") is None
    assert desk.chat.citation("cite:x") is None


def test_a_chip_opens_its_page(citing_desk: Desk) -> None:
    desk = citing_desk
    desk.ask(WHERE)
    desk.until(lambda: desk.messages()[-1].citations, "citations")
    found, missing, no_page = desk.messages()[-1].citations
    desk.view.link_clicked.emit(found.target)
    viewing = desk.desktop.viewing
    desk.until(lambda: viewing.viewer is not None, "the viewer")
    viewer = viewing.viewer
    assert viewer is not None
    assert viewer._page.number == 2
    assert viewer._page.is_found
    ((start, end),) = viewer._page.spans
    assert viewer._page.text[start:end] == "a spare key in the cellar"
    (mark,) = desk.find(QPlainTextEdit, "pageText", viewer).extraSelections()
    assert mark.cursor.selectedText() == "a spare key in the cellar"
    desk.until(lambda: not viewer.picture.sheet.image().isNull(), "a picture")
    ((line,),) = viewer.picture.sheet.boxes()
    # The second line of the page, which begins 60 points from the left of 612.
    assert 0.1 < line.left() < line.right() < 0.9
    assert 0.09 < line.top() < line.bottom() < 0.12

    desk.press("pageNext", viewer)
    assert viewer._page.number == 3
    QTest.keyClick(viewer, Qt.Key.Key_Escape)
    desk.until(lambda: viewing.viewer is None, "the viewer to close")

    desk.view.link_clicked.emit(missing.target)
    desk.until(lambda: viewing.viewer is not None, "the viewer")
    assert viewing.viewer is not None
    assert "Not found on this page" in viewing.viewer._page.cited
    viewing.viewer.close()
    desk.until(lambda: viewing.viewer is None, "the viewer to close")
    desk.view.link_clicked.emit(no_page.target)
    desk.until(lambda: viewing.viewer is not None, "the viewer")
    assert viewing.viewer is not None
    assert "no such page" in viewing.viewer._page.cited
    viewing.viewer.close()


def test_a_link_that_only_looks_like_a_citation_opens_nothing(citing_desk: Desk) -> None:
    citing_desk.view.link_clicked.emit("cite:1:2")
    assert any("cite:1:2" in said for said in citing_desk.notices)
    assert citing_desk.desktop.viewing.viewer is None
