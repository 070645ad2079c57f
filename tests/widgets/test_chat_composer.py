"""Composer, ledger and the view that puts them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from widgets import theme
from widgets.chat.chat_view import ChatView
from widgets.chat.choice_menu import ChoiceMenu
from widgets.chat.ledger import compact
from widgets.chat.viewdata import (
    ActionView,
    ChipView,
    ChoiceView,
    ComposerState,
    LedgerView,
    MessageView,
    SegmentView,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> Iterator[ChatView]:
    theme.apply(qapp, "light")
    made = ChatView()
    qtbot.addWidget(made)
    made.resize(860, 800)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.typesetter.close()


def button(view: ChatView, name: str) -> QAbstractButton:
    found = view.findChild(QAbstractButton, name)
    assert isinstance(found, QAbstractButton)
    return found


def test_enter_sends_and_clears(view: ChatView, qtbot: QtBot) -> None:
    view.restore_draft("a question ")
    with qtbot.waitSignal(view.send_requested) as blocker:
        QTest.keyClick(view.composer.input, Qt.Key.Key_Return)
    assert blocker.args == ["a question"]
    assert view.draft() == ""


def test_shift_enter_breaks_the_line_and_the_input_grows_to_ten_lines(view: ChatView) -> None:
    field = view.composer.input
    heights = [field.height()]
    for _ in range(14):
        QTest.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        heights.append(field.height())
    assert view.draft() == "\n" * 14
    assert heights[1] > heights[0]
    assert heights[9] > heights[8]
    assert heights[14] == heights[9]


def test_nothing_is_sent_when_empty_or_not_allowed(view: ChatView, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(view.send_requested):
        QTest.keyClick(view.composer.input, Qt.Key.Key_Return)
        view.set_state(ComposerState(can_send=False, hint="No model is loaded."))
        view.restore_draft("kept")
        QTest.keyClick(view.composer.input, Qt.Key.Key_Return)
    assert view.draft() == "kept"
    assert not button(view, "composerSend").isEnabled()


def test_up_recalls_only_when_empty(view: ChatView) -> None:
    view.set_last_prompt("before")
    QTest.keyClick(view.composer.input, Qt.Key.Key_Up)
    assert view.draft() == "before"
    view.restore_draft("typed")
    QTest.keyClick(view.composer.input, Qt.Key.Key_Up)
    assert view.draft() == "typed"


def test_while_a_reply_is_written_sending_queues_and_esc_stops(
    view: ChatView, qtbot: QtBot
) -> None:
    view.set_state(ComposerState(generating=True))
    assert button(view, "composerSend").isHidden()
    assert not button(view, "composerStop").isHidden()
    view.restore_draft("next")
    with (
        qtbot.assertNotEmitted(view.send_requested),
        qtbot.waitSignal(view.queue_requested) as blocker,
    ):
        QTest.keyClick(view.composer.input, Qt.Key.Key_Return)
    assert blocker.args == ["next"]
    with qtbot.waitSignal(view.stop_requested):
        QTest.keyClick(view.composer.input, Qt.Key.Key_Escape)
    with qtbot.waitSignal(view.stop_requested):
        button(view, "composerStop").click()


def test_a_waiting_prompt_is_seen_and_can_be_taken_back(view: ChatView, qtbot: QtBot) -> None:
    view.set_state(ComposerState(generating=True, queued=("first", "second")))
    chips = view.findChildren(QWidget, "queuedPrompt")
    assert [chip.accessibleName() for chip in chips] == ["Waiting: first", "Waiting: second"]
    view.restore_draft("draft")
    edits = view.findChildren(QAbstractButton, "queuedEdit")
    with qtbot.waitSignal(view.queue_removed) as blocker:
        edits[1].click()
    assert blocker.args == [1]
    assert view.draft() == "second\ndraft"
    with qtbot.waitSignal(view.queue_removed) as blocker:
        view.findChildren(QAbstractButton, "queuedCancel")[0].click()
    assert blocker.args == [0]


def test_a_long_paste_is_handed_on_and_a_short_one_inserted(view: ChatView, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setText("x" * 2501)
    with qtbot.waitSignal(view.long_paste) as blocker:
        view.composer.input.insertFromMimeData(data)
    assert len(blocker.args[0]) == 2501
    assert view.draft() == ""
    data.setText("y" * 2500)
    view.composer.input.insertFromMimeData(data)
    assert view.draft() == "y" * 2500
    view.set_long_paste(500)
    data.setText("z" * 501)
    with qtbot.waitSignal(view.long_paste):
        view.composer.input.insertFromMimeData(data)
    assert view.draft() == "y" * 2500


def test_pasted_and_dropped_files_are_reported(view: ChatView, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/tmp/a.pdf"), QUrl("https://example.org/b.pdf")])
    with qtbot.waitSignal(view.files_dropped) as blocker:
        view.composer.input.insertFromMimeData(data)
    assert blocker.args == [["/tmp/a.pdf"]]
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    view.dragEnterEvent(QDragEnterEvent(QPoint(300, 300), copy, data, left, keys))
    overlay = view.findChild(QWidget, "dropOverlay")
    assert isinstance(overlay, QWidget)
    assert not overlay.isHidden()
    with qtbot.waitSignal(view.files_dropped) as blocker:
        view.dropEvent(QDropEvent(QPointF(300, 300), copy, data, left, keys))
    assert blocker.args == [["/tmp/a.pdf"]]
    assert overlay.isHidden()


def test_a_document_that_does_not_fit_offers_its_choices(view: ChatView, qtbot: QtBot) -> None:
    chip = ChipView(
        "d1",
        "bible.txt",
        tokens=1_300_000,
        state="too_large",
        message="bible.txt takes 1.3M tokens; 10.6k are free.",
        actions=(ActionView("passages", "Send passages"),),
    )
    view.set_chips([chip])
    with qtbot.waitSignal(view.chip_action_requested) as blocker:
        button(view, "chipAction_passages").click()
    assert blocker.args == ["d1", "passages"]
    with qtbot.waitSignal(view.chip_remove_requested) as blocker:
        button(view, "chipRemove").click()
    assert blocker.args == ["d1"]
    view.set_chips([])
    QTest.qWait(10)
    assert view.findChild(QAbstractButton, "chipRemove") is None


def ledger(used: int, cached: int = 0) -> LedgerView:
    parts = (
        SegmentView("document", "lease", used, cached),
        SegmentView("reply_reserve", "", 1000),
        SegmentView("free", "", 9000 - used),
    )
    return LedgerView(parts, 10000, used, 0.8)


@pytest.mark.parametrize(
    ("used", "tone", "words"),
    [
        (6400, "dim", "6.4k of 10,000 · first token ≈ 0.8 s"),
        (6500, "warn", "6.5k of 10,000 · 65 % full · first token ≈ 0.8 s"),
        (8500, "bad", "8.5k of 10,000 · 85 % full · first token ≈ 0.8 s"),
    ],
)
def test_the_ledger_warns_in_colour_and_in_words(
    view: ChatView, used: int, tone: str, words: str
) -> None:
    view.set_ledger(ledger(used))
    assert view.ledger.tone() == tone
    assert view.ledger.status_text() == words


def test_a_wait_too_short_for_figures_is_at_once(view: ChatView) -> None:
    view.set_ledger(msgspec.structs.replace(ledger(94), seconds_to_first_token=0.02))
    assert view.ledger.status_text() == "94 of 10,000 · first token at once"


def test_the_ledger_tells_cached_from_read(view: ChatView) -> None:
    view.set_ledger(ledger(5000, 4000))
    spoken = view.ledger.accessibleDescription()
    assert "lease: 5,000 tokens, 4,000 in the KV cache, 1,000 to be read" in spoken
    assert "1,000 tokens kept free for the reply" in spoken
    assert "4,000 tokens free" in spoken


def test_the_ledger_says_once_why_a_part_is_read_again(view: ChatView) -> None:
    parts = (
        SegmentView("system", "", 50, cached=50),
        SegmentView("chat", "", 900, cached=100),
        SegmentView("message", "", 20),
    )
    reason = "This chat is read again."
    view.set_ledger(LedgerView(parts, 10000, 970, read_reason=reason))
    told = [reason in view.ledger.segment_text(part) for part in parts]
    assert told == [False, True, False]
    assert reason in view.ledger.accessibleDescription()


def test_what_can_be_done_about_a_part_is_offered_by_mouse_and_by_key(
    view: ChatView, qtbot: QtBot
) -> None:
    modes = (
        ChoiceView("mode:whole", "Whole", "Send it", is_chosen=True),
        ChoiceView("mode:passages", "Passages", "Send it", is_chosen=False),
        ChoiceView("remove", "Remove"),
    )
    parts = (
        SegmentView("document", "R&D", 5000, id="d", note="It fits.", choices=modes),
        SegmentView("free", "", 5000, id="free"),
    )
    view.set_ledger(LedgerView(parts, 10000, 5000, tokens_per_second=500.0))
    assert "5,000 tokens to be read, at 500 tok/s on this computer" in view.ledger.spoken()

    def choose(ident: str) -> None:
        (menu,) = view.ledger.findChildren(ChoiceMenu)
        said = [action.text() for action in menu.actions() if not action.isSeparator()]
        assert said[0].startswith("R&&D: 5,000 tokens")
        assert said[1:] == ["It fits.", "Send it", "Whole", "Passages", "Remove"]
        (action,) = (each for each in menu.actions() if each.objectName() == f"choice_{ident}")
        action.trigger()
        menu.close()
        QTest.qWait(5)

    with qtbot.waitSignal(view.ledger_choice_requested) as blocker:
        QTest.mouseClick(view.ledger, Qt.MouseButton.LeftButton, pos=QPoint(20, 4))
        choose("mode:passages")
    assert blocker.args == ["d", "mode:passages"]
    QTest.keyClick(view.ledger, Qt.Key.Key_Left)
    with qtbot.waitSignal(view.ledger_choice_requested) as blocker:
        QTest.keyClick(view.ledger, Qt.Key.Key_Return)
        choose("remove")
    assert blocker.args == ["d", "remove"]


def test_the_parts_of_the_bar_have_their_share_of_it(view: ChatView) -> None:
    view.set_ledger(ledger(5000))
    width = view.ledger.width()
    for share, label in ((0.25, "lease"), (0.49, "lease")):
        segment = view.ledger.segment_at(width * share, 5)
        assert segment is not None
        assert segment.label == label
    kinds = [view.ledger.segment_at(width * share, 5) for share in (0.55, 0.8)]
    assert [kind.kind for kind in kinds if kind] == ["reply_reserve", "free"]


def test_short_numbers() -> None:
    assert [compact(n) for n in (46, 2010, 17600, 131072)] == ["46", "2.0k", "17.6k", "131k"]


def test_the_title_is_edited_in_place(view: ChatView, qtbot: QtBot) -> None:
    view.set_state(ComposerState(title="Old"))
    title = view.header.title
    title.setFocus()
    title.setText("  New   name ")
    with qtbot.waitSignal(view.title_edited) as blocker:
        QTest.keyClick(title, Qt.Key.Key_Return)
    assert blocker.args == ["New name"]
    title.setFocus()
    title.setText("thrown away")
    QTest.keyClick(title, Qt.Key.Key_Escape)
    assert title.text() == "New name"


def test_export_names_its_format(view: ChatView, qtbot: QtBot) -> None:
    export = button(view, "chatExport")
    assert isinstance(export, QPushButton)
    actions = export.menu().actions()
    with qtbot.waitSignal(view.export_requested) as blocker:
        actions[1].trigger()
    assert blocker.args == ["json"]


def test_an_empty_chat_explains_itself(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([])
    with qtbot.waitSignal(view.attach_requested):
        button(view, "cardAction_attach").click()
    view.append_message(MessageView("u", "user", "hello"))
    QTest.qWait(10)
    assert view.findChild(QWidget, "card_empty") is None


def test_whatever_can_be_used_has_a_name_and_is_reached_by_tab(view: ChatView) -> None:
    view.set_messages(
        [
            MessageView("u", "user", "hello", documents=("a.pdf",)),
            MessageView("a", "assistant", "```c\nint x;\n```", thinking="hm", version_count=2),
        ]
    )
    view.set_chips([ChipView("d", "a.pdf", 2, 20)])
    view.open_find()
    QTest.qWait(30)
    kinds = (QAbstractButton, QLineEdit, QPlainTextEdit)
    used = [w for w in view.findChildren(QWidget) if isinstance(w, kinds)]
    assert len(used) > 15
    nameless = [w for w in used if not w.objectName() or not w.accessibleName()]
    assert nameless == []
    beyond_tab = [w for w in used if not w.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert beyond_tab == []


def test_the_view_is_fine_at_480_pixels(view: ChatView) -> None:
    view.set_chips([ChipView("d", "a rather long name of a document.pdf", 212, 17600)])
    view.set_ledger(ledger(5000))
    view.resize(480, 640)
    QTest.qWait(30)
    assert view.width() == 480
    for name in ("composerSend", "chatFind", "composerAddDocument", "chipRemove"):
        found = button(view, name)
        corner = found.mapTo(view, found.rect().bottomRight())
        assert view.rect().contains(corner), name
