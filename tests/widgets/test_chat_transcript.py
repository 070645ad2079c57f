"""The transcript: streaming, virtual messages, scrolling, selecting, finding."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QToolButton

from widgets import theme
from widgets.chat.chat_view import ChatView
from widgets.chat.codeview import CodeView
from widgets.chat.typeset import FormulaRequest, Typesetter, formula_of, spans_of
from widgets.chat.viewdata import (
    CardView,
    MessageView,
    ProgressView,
    RecordView,
    ReplyStatsView,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

# Nothing waits for it unless something is broken.
PATIENCE_MS = 30_000
NO_KEYS = Qt.KeyboardModifier.NoModifier
PROSE = "Some words that make a line, and then a few more of them. " * 4 + "\n\n"


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


def reply(text: str, id_: str = "a", **more: object) -> MessageView:
    return MessageView(id_, "assistant", text, **more)  # type: ignore[arg-type]


def many(count: int) -> list[MessageView]:
    return [
        MessageView(f"m{n}", "user" if n % 2 == 0 else "assistant", f"Number {n}. {PROSE}")
        for n in range(count)
    ]


def test_two_thousand_messages_have_few_widgets_and_open_quickly(view: ChatView) -> None:
    messages = many(2000)
    view.set_messages(messages[:2])
    started = time.thread_time()
    view.set_messages(messages)
    view.transcript.viewport().repaint()
    assert time.thread_time() - started < 0.3
    assert view.transcript.live_widgets < 16
    assert view.transcript.widget_of("m1999") is not None
    assert view.transcript.widget_of("m3") is None


def test_every_message_can_be_scrolled_to_and_none_jumps(view: ChatView) -> None:
    view.set_messages(many(60))
    bar = view.transcript.verticalScrollBar()
    for _ in range(4000):
        if bar.value() == 0:
            break
        seen = {
            widget.view.id: widget.y()
            for widget in (view.transcript.widget_of(f"m{n}") for n in range(60))
            if widget is not None and widget.geometry().intersects(view.transcript.rect())
        }
        before = bar.value()
        bar.setValue(before - 40)
        for id_, y in seen.items():
            widget = view.transcript.widget_of(id_)
            assert widget is not None
            moved = widget.y() - y
            assert 38 <= moved <= 42 or bar.value() == 0
    assert bar.value() == 0
    first = view.transcript.widget_of("m0")
    assert first is not None
    assert first.y() >= 0


def test_streaming_lays_out_only_the_open_block(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([reply(PROSE * 3 + "The open", state="streaming")])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    closed = [placed.view for box in widget.body.flow.boxes[:3] for placed in box.placed]
    assert len(closed) == 3
    for piece in (" **block", "**", " goes on"):
        view.stream_delta("a", piece)
        QTest.qWait(60)
    flow = widget.body.flow
    qtbot.waitUntil(lambda: flow.leaves(3)[0].text == "The open block goes on", timeout=PATIENCE_MS)
    after = [placed.view for box in flow.boxes[:3] for placed in box.placed]
    assert all(one is other for one, other in zip(closed, after, strict=True))


def test_deltas_are_coalesced_and_none_is_lost(view: ChatView) -> None:
    view.set_messages([reply("", state="streaming")])
    text = "".join(f"word{n} " for n in range(400))
    for start in range(0, len(text), 3):
        view.stream_delta("a", text[start : start + 3], thinking="t")
    assert view.message_markdown("a") == text
    message = view.transcript.message("a")
    assert message is not None
    assert message.thinking.count("t") == len(range(0, len(text), 3))
    view.finish_message(reply(text, thinking=message.thinking, thinking_seconds=3))
    assert view.last_reply_text() == text


def test_growing_code_keeps_its_lines_and_gets_its_colours(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([reply("```python\n", state="streaming")])
    for n in range(200):
        view.stream_delta("a", f"value_{n} = {n}  # note\n")
    QTest.qWait(80)
    widget = view.transcript.widget_of("a")
    assert widget is not None
    view.stream_delta("a", "```\n\nDone.")
    view.finish_message(reply(view.message_markdown("a")))
    views = [
        placed.view
        for box in widget.body.flow.boxes
        for placed in box.placed
        if isinstance(placed.view, CodeView)
    ]
    assert len(widget.body.flow.boxes) == 4
    assert widget.body.flow.code_of(views[0].code).count("\n") == 199
    qtbot.waitUntil(lambda: views[-1].color(), timeout=PATIENCE_MS)


def test_the_end_is_followed_until_the_user_scrolls_up(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([*many(20), reply("", state="streaming")])
    bar = view.transcript.verticalScrollBar()
    assert bar.value() == bar.maximum()
    end = bar.maximum()
    view.stream_delta("a", PROSE * 5)
    qtbot.waitUntil(lambda: bar.value() == bar.maximum() > end, timeout=PATIENCE_MS)
    assert view.transcript.pill.isHidden()
    end = bar.maximum()
    bar.setValue(end - 300)
    at = bar.value()
    view.stream_delta("a", PROSE * 5)
    qtbot.waitUntil(lambda: bar.maximum() > end, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not view.transcript.pill.isHidden(), timeout=PATIENCE_MS)
    assert bar.value() == at
    view.transcript.pill.click()
    assert bar.value() == bar.maximum()
    assert view.transcript.pill.isHidden()


def test_selecting_across_blocks_copies_text_and_markdown(view: ChatView) -> None:
    view.set_messages([reply("First **bold** line.\n\n- one\n- two\n\nLast line.")])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    body = widget.body
    end = QPoint(700, body.height() - 4)
    QTest.mousePress(body, Qt.MouseButton.LeftButton, pos=QPoint(1, 5))
    left = Qt.MouseButton.LeftButton
    moved = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(end), body.mapToGlobal(QPointF(end)), left, left, NO_KEYS
    )
    QApplication.sendEvent(body, moved)
    QTest.mouseRelease(body, left, pos=end)
    assert body.has_selection()
    body.copy_selection()
    assert QGuiApplication.clipboard().text().endswith("Last line.")
    body.select_all()
    body.copy_selection()
    data = QGuiApplication.clipboard().mimeData()
    assert data.text() == "First bold line.\n\n• one\n• two\n\nLast line."
    body.copy_selection(as_markdown=True)
    copied = QGuiApplication.clipboard().text()
    assert copied == "First **bold** line.\n\n- one\n- two\n\nLast line."


def test_a_link_is_reported_and_never_opened(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([reply("[here](https://example.org/x)")])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    assert widget.body.link_at(QPointF(8, 10)) == "https://example.org/x"
    with qtbot.waitSignal(view.link_clicked) as blocker:
        QTest.mouseClick(widget.body, Qt.MouseButton.LeftButton, pos=QPoint(8, 10))
    assert blocker.args == ["https://example.org/x"]


def test_links_are_reached_by_tab_and_followed_by_enter(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([reply("[a](https://a.org) and [b](https://b.org)")])
    view.activateWindow()
    widget = view.transcript.widget_of("a")
    assert widget is not None
    widget.body.setFocus()
    QTest.keyClick(widget.body, Qt.Key.Key_Tab)
    QTest.keyClick(widget.body, Qt.Key.Key_Tab)
    with qtbot.waitSignal(view.link_clicked) as blocker:
        QTest.keyClick(widget.body, Qt.Key.Key_Return)
    assert blocker.args == ["https://b.org"]


def test_code_has_a_copy_button_for_the_whole_block(view: ChatView) -> None:
    code = "\n".join(f"x{n} = {n}" for n in range(150))
    view.set_messages([reply(f"```python\n{code}\n```")])
    view.transcript.verticalScrollBar().setValue(0)
    widget = view.transcript.widget_of("a")
    assert widget is not None
    (button,) = [b for b in widget.findChildren(QToolButton) if b.objectName() == "codeCopy"]
    button.click()
    assert QGuiApplication.clipboard().text() == code
    assert button.text() == "Copied"


@pytest.mark.parametrize(
    ("action", "signal"),
    [
        ("regenerate", "regenerate_requested"),
        ("branch", "branch_requested"),
        ("delete", "delete_requested"),
        ("continue", "continue_requested"),
    ],
)
def test_actions_carry_the_id(view: ChatView, qtbot: QtBot, action: str, signal: str) -> None:
    view.set_messages([reply("text", state="stopped")])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    with qtbot.waitSignal(getattr(view, signal)) as blocker:
        widget.action_requested.emit(action)
    assert blocker.args == ["a"]


def test_a_message_is_edited_in_place_and_sent_again(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([MessageView("u", "user", "old")])
    widget = view.transcript.widget_of("u")
    assert widget is not None
    widget.begin_edit()
    box = widget.edit_box
    assert box is not None
    box.input.setPlainText("new")
    with qtbot.waitSignal(view.edit_resend_requested) as blocker:
        QTest.keyClick(box.input, Qt.Key.Key_Return)
    assert blocker.args == ["u", "new"]


def test_versions_are_stepped_through(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([reply("text", version_index=1, version_count=3)])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    (before,) = [b for b in widget.findChildren(QToolButton) if b.objectName() == "versionBefore"]
    with qtbot.waitSignal(view.version_requested) as blocker:
        before.click()
    assert blocker.args == ["a", 0]


def test_a_record_without_detail_reports_and_with_detail_unfolds(
    view: ChatView, qtbot: QtBot
) -> None:
    records = (RecordView("r1", "3 turns left out", "Show"), RecordView("r2", "x", "Show", "all"))
    view.set_messages([reply("text", records=records)])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    rows = widget.records
    with qtbot.waitSignal(view.record_action_requested) as blocker:
        rows[0].press()
    assert blocker.args == ["a", "r1"]
    height = widget.height()
    rows[1].press()
    qtbot.waitUntil(lambda: widget.height() > height, timeout=PATIENCE_MS)


def test_progress_says_tokens_rate_and_time_left(view: ChatView, qtbot: QtBot) -> None:
    view.set_messages([reply("", state="streaming")])
    view.set_progress("a", ProgressView("reading", 4120, 17600, 1240.0, 11.0))
    widget = view.transcript.widget_of("a")
    assert widget is not None
    assert widget.progress_text() == (
        "Reading 4,120 of 17,600 tokens · 1,240 tok/s · 11 s left · Esc stops"
    )
    view.stream_delta("a", "First")
    qtbot.waitUntil(lambda: widget.progress_text() == "", timeout=PATIENCE_MS)


def test_unknown_figures_are_left_out(view: ChatView) -> None:
    view.set_messages([reply("text", stats=ReplyStatsView(tokens=312, cached_tokens=18102))])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    assert widget.footer.stats.accessibleName() == "312 tokens, 18,102 cached"


def test_find_goes_through_hits_and_skips_markup(view: ChatView, qtbot: QtBot) -> None:
    messages = many(400)
    messages[7] = reply("a needle, a [needle](https://needle.org) here", "m7")
    messages[399] = MessageView("m399", "user", "the last Needle")
    view.set_messages(messages)
    view.open_find()
    view.find_bar.input.setText("needle")
    qtbot.waitUntil(lambda: view.find_bar.said() == "4 of 4", timeout=PATIENCE_MS)
    QTest.keyClick(view.find_bar.input, Qt.Key.Key_Return)
    assert view.find_bar.said() == "1 of 4"
    assert view.transcript.widget_of("m7") is not None
    QTest.keyClick(view.find_bar.input, Qt.Key.Key_Return)
    QTest.keyClick(view.find_bar.input, Qt.Key.Key_Return)
    assert view.find_bar.said() == "3 of 3"
    QTest.keyClick(view.find_bar.input, Qt.Key.Key_Escape)
    assert view.find_bar.isHidden()


def test_cards_follow_the_messages_and_report(view: ChatView, qtbot: QtBot) -> None:
    from widgets.chat.viewdata import ActionView

    view.set_messages([reply("text", state="interrupted")])
    view.show_cards(
        [CardView("engine_died", "The engine stopped", "Why.", (ActionView("restart", "Restart"),))]
    )
    button = view.findChild(QAbstractButton, "cardAction_restart")
    assert button is not None
    with qtbot.waitSignal(view.card_action_requested) as blocker:
        button.click()
    assert blocker.args == ["engine_died", "restart"]


def test_a_card_is_next_to_the_conversation_and_keeps_the_keyboard(
    view: ChatView, qtbot: QtBot
) -> None:
    from widgets.chat.viewdata import ActionView

    cards = [CardView("empty", "Ask", "", (ActionView("sample", "Try"), ActionView("b", "B")))]
    view.show_cards(cards)
    first = view.findChild(QAbstractButton, "cardAction_sample")
    assert first is not None
    view.transcript.setFocus()
    QTest.keyClick(view.transcript, Qt.Key.Key_Tab)
    assert view.focusWidget() is first
    view.show_cards(list(cards))
    assert view.findChild(QAbstractButton, "cardAction_sample") is first


def test_what_is_typed_beside_the_input_goes_into_it(view: ChatView, qtbot: QtBot) -> None:
    view.transcript.setFocus()
    QTest.keyClick(view.transcript, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(view.transcript, Qt.Key.Key_Space)
    assert view.composer.input.toPlainText() == ""
    QTest.keyClicks(view.transcript, "why")
    assert view.composer.input.toPlainText() == "why"


def test_dark_mode_restyles_what_is_shown(view: ChatView, qapp: QApplication) -> None:
    view.set_messages(many(6))
    theme.apply(qapp, "dark")
    corner = view.grab().toImage().pixelColor(4, 300).name()
    assert corner == theme.current().bg


def test_a_formula_is_drawn_and_a_broken_one_is_its_source(qtbot: QtBot, view: ChatView) -> None:
    good = FormulaRequest(r"\frac{a}{b}", 16, "#000000", 1.0, is_display=False)
    drawn = formula_of(good)
    assert drawn is not None
    assert drawn.ascent > 0
    assert drawn.descent > 0
    image = drawn.image
    dark = sum(image.pixelColor(x, y).alpha() > 0 for x in range(image.width()) for y in range(20))
    assert dark > 10
    assert formula_of(FormulaRequest(r"\bad{", 16, "#000000", 1.0, is_display=False)) is None
    setter = Typesetter()
    assert setter.formula(good) is None
    with qtbot.waitSignal(setter.formula_ready, timeout=PATIENCE_MS):
        pass
    assert setter.formula(good) is not None
    setter.close()
    view.set_messages([reply("inline $x^2$ and $\\bad{$ end")])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    (box,) = widget.body.flow.boxes
    qtbot.waitUntil(lambda: box.placed[0].view.pending == {r"\bad{"}, timeout=PATIENCE_MS)


def test_colours_are_in_utf16_units() -> None:
    spans = spans_of("python", "x = '😀'  # note")
    assert (10, 6, "comment") in spans


def test_nothing_is_laid_out_wider_than_the_column(view: ChatView) -> None:
    view.resize(480, 700)
    view.set_messages([reply(PROSE + "`" + "x" * 300 + "`\n\n| a | b |\n|---|---|\n| 1 | 2 |")])
    widget = view.transcript.widget_of("a")
    assert widget is not None
    assert widget.width() <= 480 - 32
    assert widget.body.width() <= widget.width()
