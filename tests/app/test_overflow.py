"""A chat that is longer than the context: what is sent, what is noted, what is kept."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit

from app.store.chat_store import ChatStore
from engine.models.demo import demo_model_path
from tests.support.desk import Desk, open_desk
from widgets.chat.message import MessageWidget
from widgets.chat.record_row import RecordRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from app.session import Session

pytestmark = pytest.mark.model

N_CTX = 512
REPLY_TOKENS = 12
GREEN = "The sea is green where it is shallow and blue where it is deep, as sailors have said."


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    """A window with the demo model in a context that two dozen messages fill."""
    with open_desk(qapp) as desk:
        calm = replace(
            desk.desktop.settings.generation,
            system_prompt="Be brief.",
            temperature=0.0,
            max_tokens=REPLY_TOKENS,
        )
        desk.desktop.settings.set_generation(calm)
        desk.load(demo_model_path(), n_ctx=N_CTX, n_threads=1, n_threads_batch=1)
        yield desk


def fill(desk: Desk, exchanges: int) -> None:
    """Put a conversation on the disk and open it."""
    chat = desk.store.chats.create(title="The sea").wait()
    leaf = None
    for number in range(exchanges):
        for role, text in (("user", f"What of sea {number}?"), ("assistant", GREEN)):
            leaf = desk.store.messages.add(chat.id, leaf, role, text).wait().id  # type: ignore[arg-type]
    desk.open_chat(chat.id)


def kinds(desk: Desk) -> list[str]:
    """Kinds of all records of the open chat, as the disk has them."""
    return [record.kind for message in desk.stored() for record in message.records]


def test_stop_refuses_and_offers_ways_out(desk: Desk) -> None:
    fill(desk, 25)
    desk.write("And the last one?")
    desk.until(lambda: desk.desktop.ledger.overflow_tokens > 0, "the count")
    over = desk.desktop.ledger.overflow_tokens
    desk.until(lambda: "context_full" in desk.cards(), "the card")
    assert f"{over:,} tokens longer than the context of {N_CTX}" in desk.card_text("context_full")
    desk.send("And the last one?")
    assert len(desk.stored()) == 50, "it was sent all the same"

    desk.press("cardAction_overflow:drop")
    desk.until(lambda: desk.desktop.ledger.left_out is not None, "the count under drop")
    assert "context_full" not in desk.cards()
    assert desk.store.chats.all()[0].settings == {"overflow": "drop"}


def test_drop_is_noted_and_survives_export_and_copies(desk: Desk, tmp_path: Path) -> None:
    fill(desk, 25)
    desk.chat.set_overflow("drop")
    reply = desk.ask("And the last one?")
    assert reply.state == "complete"
    record = desk.stored()[-1].records[0]
    assert record.kind == "overflow.dropped"
    assert len(desk.stored()) == 52, "the chat itself lost something"
    assert record.data["count"] % 2 == 0
    assert record.data["tokens"] > 0
    assert record.data["text"].count("\n") == record.data["count"] - 1
    assert f"{record.data['count']} oldest messages" in reply.records[0].text

    chat_id = desk.chat.chat_id or 0
    markdown = desk.store.export_markdown(chat_id)
    assert f"> {record.sentence}" in markdown
    with closing(ChatStore(tmp_path / "other.sqlite3")) as other:
        exported = tmp_path / "chat.json"
        exported.write_bytes(desk.store.export_json(chat_id))
        copied = other.import_json(exported).result(10)
        contents = other.messages.contents(copied.id)
        assert contents is not None
        assert contents.messages[-1].records == (record,)
        assert contents.chat.settings == {"overflow": "drop"}


def test_summarise_writes_keeps_and_sends_a_summary(desk: Desk) -> None:
    fill(desk, 25)
    desk.chat.set_overflow("summarise")
    phases: list[str] = []
    desk.engine.reply_event.connect(
        lambda _event: phases.extend(
            widget.progress_text()
            for widget in desk.view.findChildren(MessageWidget)
            if widget.progress_text()
        )
    )
    reply = desk.ask("And the last one?")
    assert reply.state == "complete", reply.state_text
    assert any("Summarising the oldest messages" in phase for phase in phases)
    question = desk.stored()[-2]
    record = question.records[-1]
    assert record.kind == "overflow.summarised"
    assert record.data["summary"]
    prompt = desk.chat.prompt("more")
    assert record.data["summary"] in prompt.summary
    assert len(prompt.turns) == 52 - record.data["through"] + 1
    assert desk.store.export_markdown(desk.chat.chat_id or 0).count(record.data["summary"][:20])

    rows = desk.find_all(RecordRow, f"record_{question.id}:{len(question.records) - 1}")
    rows[0].begin_edit()
    desk.until(lambda: desk.find_all(QPlainTextEdit, "recordInput"), "the input")
    desk.find(QPlainTextEdit, "recordInput").setPlainText("Seas are green.")
    desk.press("recordSave")
    assert "Seas are green." in desk.chat.prompt("more").summary
    assert desk.stored()[-2].records[-1].data["summary"] == "Seas are green."
    assert kinds(desk)[-1] in ("overflow.summary_edited", "overflow.context_full")

    branched = desk.store.copies.branch(desk.stored()[-1].id).result(10)
    desk.open_chat(branched.id)
    assert "Seas are green." in desk.chat.prompt("more").summary


def test_a_summary_that_is_stopped_leaves_everything_as_it_was(desk: Desk) -> None:
    fill(desk, 25)
    desk.chat.set_overflow("summarise")
    # At the very moment at which the summary begins.
    began: list[bool] = []

    def stop_once(session: Session) -> None:
        if session.is_answering and not began:
            began.append(True)
            desk.chat.stop()

    desk.engine.session_changed.connect(stop_once)
    desk.send("And the last one?")
    desk.until(lambda: began, "the summary")
    desk.until(lambda: desk.chat.replying_in is None, "the end")
    assert desk.messages()[-1].state == "stopped"
    assert kinds(desk) == []
    QTest.qWait(20)
    assert desk.chat.prompt("more").summary == ""


def test_rolling_and_a_full_context_are_noted_at_the_reply(desk: Desk) -> None:
    endless = replace(
        desk.desktop.settings.generation, max_tokens=260, logit_bias=("<|im_end|>=-inf",)
    )
    desk.desktop.settings.set_generation(endless)
    fill(desk, 8)
    desk.ask("Go on")
    assert kinds(desk) == ["overflow.context_full"]
    assert desk.messages()[-1].records[0].follows

    fill(desk, 8)
    desk.chat.set_overflow("rolling")
    reply = desk.ask("Go on")
    assert reply.stats is not None
    assert reply.stats.tokens == 260
    assert "overflow.shifted" in kinds(desk)
