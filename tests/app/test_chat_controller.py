"""Chats in the real window with a worker that goes wrong on cue: no word is ever lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.session import State
from engine.errors import Problem
from engine.worker import silence
from tests.support.desk import Desk, Hold, faulty, noted, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from widgets.chat.viewdata import LedgerView

WHOLE = "one two three four five six seven eight nine ten"
HALF = "one two three four five"
CODES = {
    "kill": "worker.killed",
    "segfault": "worker.crashed",
    "abort": "worker.aborted",
    "oom": "worker.out_of_memory",
    "exit": "worker.exited",
    "garbage": "worker.garbled",
}


@pytest.fixture
def desk(qapp: QApplication) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        yield made


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    return Hold(tmp_path)


@pytest.fixture
def held_desk(qapp: QApplication, hold: Hold) -> Iterator[Desk]:
    """A window whose replies can be held up."""
    with open_desk(qapp, command=faulty(), env=hold.env) as made:
        yield made


# ---- when the engine dies


@pytest.mark.parametrize("fault", list(CODES))
def test_each_death_keeps_the_words_and_leads_back(
    qapp: QApplication, tmp_path: Path, fault: str
) -> None:
    plan = tmp_path / "plan"
    with open_desk(qapp, command=faulty(), env={"FAULTY_PLAN": str(plan)}) as desk:
        for moment in ("start", "load", "prefill", "decode"):
            plan.write_text(f"{fault} {moment}")
            question = f"{moment}?"
            desk.open_chat(None)
            desk.desktop.engine_side.pane.choose("fake.gguf")
            desk.send(question)
            desk.until_state(State.DIED)
            sentence = desk.deaths.pop().message
            assert desk.engine.session.problem is not None
            assert desk.engine.session.problem.code == CODES[fault]
            assert "{" not in sentence
            assert desk.cards() == ["engine_died"]
            assert sentence in desk.card_text("engine_died")
            if moment in ("prefill", "decode"):
                written = HALF if moment == "decode" else ""
                shown = desk.messages()[-1]
                assert (shown.text, shown.state) == (written, "interrupted")
                assert sentence in shown.state_text
                kept = desk.stored()[-1]
                assert (kept.text, kept.state) == (written, "interrupted")

            desk.press(f"cardAction_restart{'_safe' if moment == 'decode' else ''}")
            desk.until_state(State.READY, State.READING, State.WRITING)
            desk.until(lambda: desk.chat.replying_in is None and not desk.chat.queued)
            assert "engine_died" not in desk.cards()
            assert desk.ask("and now").text == WHOLE
            asked = [message.text for message in desk.stored() if message.role == "user"]
            assert asked == [question, "and now"]
            desk.engine.shutdown()


def test_what_was_queued_when_it_died_is_asked_after_the_restart(
    qapp: QApplication, tmp_path: Path
) -> None:
    plan = tmp_path / "plan"
    plan.write_text("kill decode")
    with open_desk(qapp, command=faulty(), env={"FAULTY_PLAN": str(plan)}) as desk:
        desk.load()
        desk.send("first")
        desk.send("second")
        desk.until_state(State.DIED)
        assert desk.chat.queued == ("second",)
        desk.press("cardAction_restart")
        desk.until(lambda: len(desk.messages()) == 4 and desk.chat.replying_in is None)
        assert [message.text for message in desk.messages()] == ["first", HALF, "second", WHOLE]


def test_a_hang_is_told_and_restart_leads_out_of_it(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.5)
    plan = tmp_path / "plan"
    plan.write_text("hang decode")
    with open_desk(qapp, command=faulty(), env={"FAULTY_PLAN": str(plan)}) as desk:
        desk.load()
        desk.send("why")
        desk.until(lambda: "notice" in desk.cards(), "the card about the silence")
        assert "has not answered" in desk.card_text("notice")
        desk.press("cardAction_restart")
        desk.until_state(State.READY)
        assert "notice" not in desk.cards()
        shown = desk.messages()[-1]
        assert (shown.text, shown.state) == (HALF, "interrupted")
        assert desk.stored()[-1].state == "interrupted"
        assert desk.ask("again").text == WHOLE


def test_another_model_chosen_while_a_reply_is_written(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("why")
    desk.until(lambda: desk.messages() and desk.messages()[-1].text.startswith("one two"))
    desk.desktop.engine_side.pane.choose("other.gguf")
    desk.until_state(State.READY)
    assert desk.messages()[-1].state == "interrupted"
    assert desk.messages()[-1].text.startswith("one two")
    hold.let_go()
    assert desk.ask("again").text == WHOLE


# ---- sending


def test_an_answer_is_shown_and_kept(desk: Desk) -> None:
    desk.load()
    shown = desk.ask("why is the sea salt")
    assert (shown.text, shown.state) == (WHOLE, "complete")
    assert shown.stats is not None
    assert shown.stats.tokens == 10
    kept = desk.stored()
    assert [message.text for message in kept] == ["why is the sea salt", WHOLE]
    assert kept[1].state == "complete"
    assert kept[1].stats is not None
    assert desk.store.chats.all()[0].title == "why is the sea salt"


def test_without_a_model_the_text_comes_back(desk: Desk) -> None:
    problems = noted(desk.chat.refused)
    desk.send("too early")
    assert desk.view.draft() == "too early", "the composer gave the text away"
    desk.chat.send("too early")
    assert desk.view.draft() == "too early"
    assert [isinstance(one, Problem) and one.code for one in problems] == ["worker.no_model"]
    assert not desk.store.chats.all()


def test_what_is_sent_while_the_model_loads_waits_for_it(desk: Desk) -> None:
    desk.desktop.engine_side.pane.choose("fake.gguf")
    desk.send("early")
    assert desk.chat.queued == ("early",)
    desk.until(lambda: len(desk.messages()) == 2 and desk.chat.replying_in is None)
    assert desk.messages()[1].text == WHOLE


def test_what_is_sent_meanwhile_is_asked_after(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("first")
    desk.until_state(State.WRITING)
    for text in ("second", "third", "never"):
        desk.send(text)
    assert desk.chat.queued == ("second", "third", "never")
    desk.view.queue_removed.emit(2)
    hold.let_go()
    desk.until(lambda: len(desk.messages()) == 6 and desk.chat.replying_in is None)
    texts = [message.text for message in desk.messages()]
    assert texts == ["first", WHOLE, "second", WHOLE, "third", WHOLE]
    assert [message.text for message in desk.stored()] == texts


def test_esc_stops_and_keeps_the_words_and_continue_goes_on(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("why")
    desk.until(lambda: desk.messages() and len(desk.messages()[-1].text.split()) > 2)
    QTest.keyClick(desk.view.composer.input, Qt.Key.Key_Escape)
    desk.until_state(State.READY)
    shown = desk.messages()[-1]
    assert shown.state == "stopped"
    assert 2 < len(shown.text.split()) < 10
    assert desk.stored()[-1].text == shown.text

    hold.let_go()
    prompts = _prompts(desk)
    desk.view.continue_requested.emit(shown.id)
    desk.until(lambda: desk.chat.replying_in is None)
    assert prompts[-1][-1] == shown.text, "the model was not given what it had written"
    longer = desk.messages()[-1]
    assert (longer.text, longer.state) == (shown.text + WHOLE, "complete")
    assert desk.stored()[-1].text == longer.text


def test_a_refused_request_says_so_and_keeps_the_question(qapp: QApplication) -> None:
    with open_desk(qapp, command=faulty("reply_fails")) as desk:
        desk.load()
        reply = desk.ask("too much")
        assert reply.state == "failed"
        assert "8,192" in reply.state_text
        assert "context_full" in desk.cards()
        assert [message.text for message in desk.stored()] == ["too much", ""]
        assert desk.stored()[-1].state == "failed"


# ---- several chats


def test_a_reply_goes_on_in_its_own_chat(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("in the first chat")
    desk.until_state(State.WRITING)
    first = desk.chat.chat_id
    desk.open_chat(None)
    assert desk.messages() == []
    desk.send("in the second chat")
    second = desk.chat.chat_id
    assert second not in (None, first)
    hold.let_go()
    desk.until(lambda: len(desk.messages()) == 2 and desk.chat.replying_in is None)
    assert [message.text for message in desk.messages()] == ["in the second chat", WHOLE]
    assert [m.text for m in desk.stored(first)] == ["in the first chat", WHOLE]
    desk.open_chat(first)
    assert [message.text for message in desk.messages()] == ["in the first chat", WHOLE]
    assert desk.messages()[1].state == "complete"


def test_coming_back_while_it_is_written_shows_all_of_it(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at(words=3)
    desk.send("why")
    first = desk.chat.chat_id
    desk.until(lambda: len(desk.messages()) == 2 and desk.messages()[-1].text)
    desk.open_chat(None)
    while_away = noted(desk.engine.reply_event)
    hold.at(words=6)
    desk.until(lambda: len(while_away) >= 2, "words in the chat that is not open")
    desk.open_chat(first)
    assert desk.messages()[-1].state == "streaming"
    assert desk.messages()[-1].text.startswith("one two")
    hold.let_go()
    desk.until(lambda: desk.chat.replying_in is None)
    assert desk.messages()[-1].text == WHOLE


def test_opening_a_chat_at_the_very_moment_its_reply_ends(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("why")
    first = desk.chat.chat_id
    desk.until_state(State.WRITING)
    desk.open_chat(None)
    # The writer of the disk has had no time yet.
    desk.engine.session_changed.connect(
        lambda session: desk.open_chat(first) if session.state is State.READY else None
    )
    hold.let_go()
    desk.until(lambda: desk.chat.replying_in is None and desk.chat.chat_id == first)
    assert (desk.messages()[-1].text, desk.messages()[-1].state) == (WHOLE, "complete")


def test_a_queued_question_is_asked_with_the_whole_reply_before_it(
    held_desk: Desk, hold: Hold
) -> None:
    desk = held_desk
    desk.load()
    prompts = _prompts(desk)
    hold.at()
    desk.send("first")
    desk.until_state(State.WRITING)
    desk.send("second")
    desk.open_chat(None)
    hold.let_go()
    desk.until(lambda: len(prompts) == 2 and desk.chat.replying_in is None)
    assert prompts[1] == ["first", WHOLE, "second"]


def test_drafts_stay_with_their_chats(desk: Desk) -> None:
    desk.load()
    desk.ask("one")
    first = desk.chat.chat_id
    desk.write("half a thought")
    desk.open_chat(None)
    assert desk.view.draft() == ""
    desk.ask("two")
    second = desk.chat.chat_id
    desk.write("another half")
    desk.open_chat(first)
    assert desk.view.draft() == "half a thought"
    desk.open_chat(second)
    assert desk.view.draft() == "another half"
    desk.open_chat(first)
    assert desk.view.draft() == "half a thought", "switching at once lost it"
    desk.send(desk.view.draft())
    desk.until(lambda: desk.chat.replying_in is None and len(desk.messages()) == 4)
    desk.open_chat(second)
    desk.open_chat(first)
    assert desk.view.draft() == "", "what was sent came back"


def test_the_draft_of_a_new_chat_waits_for_it(desk: Desk) -> None:
    desk.load()
    desk.ask("one")
    first = desk.chat.chat_id
    desk.open_chat(None)
    desk.write("not sent yet")
    desk.open_chat(first)
    assert desk.view.draft() == ""
    desk.open_chat(None)
    assert desk.view.draft() == "not sent yet"


def test_a_chat_deleted_while_it_is_written_can_be_brought_back(
    held_desk: Desk, hold: Hold
) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("why")
    chat_id = desk.chat.chat_id
    assert chat_id is not None
    desk.until(lambda: desk.messages() and desk.messages()[-1].text)
    desk.desktop.sidebar.delete(chat_id)
    desk.until(lambda: desk.chat.replying_in is None and desk.undos)
    assert desk.chat.chat_id is None
    desk.undos[-1]()
    desk.until(lambda: desk.chat.chat_id == chat_id)
    assert desk.messages()[0].text == "why"
    assert desk.messages()[1].text.startswith("one")
    assert desk.messages()[1].state == "stopped"


# ---- versions


def test_regenerate_makes_versions(desk: Desk) -> None:
    desk.load()
    first = desk.ask("why")
    prompts = _prompts(desk)
    desk.view.regenerate_requested.emit(first.id)
    desk.until(lambda: desk.chat.replying_in is None)
    assert prompts == [["why"]]
    shown = desk.messages()
    assert len(shown) == 2
    assert (shown[1].version_index, shown[1].version_count) == (1, 2)
    assert shown[1].id != first.id
    desk.view.version_requested.emit(shown[1].id, 0)
    desk.until(lambda: desk.messages()[1].id == first.id)
    assert (desk.messages()[1].version_index, desk.messages()[1].version_count) == (0, 2)
    assert [message.id for message in desk.stored()] == [int(m.id) for m in desk.messages()]


def test_edit_and_resend_keeps_the_old_question(desk: Desk) -> None:
    desk.load()
    desk.ask("why")
    desk.ask("more")
    question = desk.messages()[0]
    desk.view.edit_resend_requested.emit(question.id, "how")
    desk.until(lambda: desk.chat.replying_in is None)
    shown = desk.messages()
    assert [message.text for message in shown] == ["how", WHOLE]
    assert (shown[0].version_index, shown[0].version_count) == (1, 2)
    desk.view.version_requested.emit(shown[0].id, 0)
    desk.until(lambda: len(desk.messages()) == 4)
    assert [m.text for m in desk.messages()] == ["why", WHOLE, "more", WHOLE]


def test_an_answer_in_the_middle_written_again_keeps_what_followed(desk: Desk) -> None:
    desk.load()
    first = desk.ask("why")
    desk.ask("more")
    desk.view.regenerate_requested.emit(first.id)
    desk.until(lambda: desk.chat.replying_in is None)
    assert [m.text for m in desk.messages()] == ["why", WHOLE]
    desk.view.version_requested.emit(desk.messages()[1].id, 0)
    desk.until(lambda: len(desk.messages()) == 4)


def test_a_branch_is_a_chat_of_its_own(desk: Desk) -> None:
    desk.load()
    first = desk.ask("why")
    desk.ask("more")
    old = desk.chat.chat_id
    desk.view.branch_requested.emit(first.id)
    desk.until(lambda: desk.chat.chat_id != old)
    assert [m.text for m in desk.messages()] == ["why", WHOLE]
    desk.ask("elsewhere")
    assert len(desk.stored(old)) == 4
    assert len(desk.stored()) == 4
    assert len(desk.store.chats.all()) == 2


def test_delete_and_undo(desk: Desk) -> None:
    desk.load()
    desk.ask("why")
    desk.ask("more")
    desk.view.delete_requested.emit(desk.messages()[2].id)
    desk.until(lambda: len(desk.messages()) == 2)
    prompts = _prompts(desk)
    desk.undos[-1]()
    desk.until(lambda: len(desk.messages()) == 4)
    desk.ask("on")
    assert prompts[-1] == ["why", WHOLE, "more", WHOLE, "on"]


def test_what_is_asked_right_after_a_deletion_stands_where_it_is_seen(desk: Desk) -> None:
    desk.load()
    desk.ask("why")
    desk.ask("more")
    prompts = _prompts(desk)
    desk.view.delete_requested.emit(desk.messages()[2].id)
    desk.view.delete_requested.emit(desk.messages()[2].id)
    desk.send("on")
    desk.until(lambda: prompts and desk.chat.replying_in is None)
    assert prompts == [["why", WHOLE, "on"]]
    shown = ["why", WHOLE, "on", WHOLE]
    assert [m.text for m in desk.messages()] == shown
    assert [m.text for m in desk.stored()] == shown


def test_an_undo_waits_for_the_reply_in_progress(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    desk.ask("why")
    desk.ask("more")
    desk.view.delete_requested.emit(desk.messages()[2].id)
    desk.until(lambda: len(desk.messages()) == 2)
    hold.at()
    desk.send("on")
    desk.until_state(State.WRITING)
    desk.undos[-1]()
    desk.store.flush()
    kept = desk.store.messages.contents(desk.chat.chat_id or 0)
    assert desk.chat.replying_in is not None
    assert kept is not None
    assert kept.messages[2].text == "on", "the disk shows what the screen does not"
    hold.let_go()
    desk.until(lambda: desk.messages()[2].text == "more", "the deleted question")
    assert [m.text for m in desk.stored()] == ["why", WHOLE, "more", WHOLE]
    desk.view.version_requested.emit(desk.messages()[2].id, 1)
    desk.until(lambda: desk.messages()[2].text == "on", "the question asked meanwhile")
    assert desk.messages()[3].text == WHOLE


def test_nothing_is_deleted_under_a_reply_in_progress(held_desk: Desk, hold: Hold) -> None:
    desk = held_desk
    desk.load()
    hold.at()
    desk.send("why")
    desk.until_state(State.WRITING)
    desk.view.delete_requested.emit(desk.messages()[0].id)
    hold.let_go()
    desk.until(lambda: desk.chat.replying_in is None)
    assert len(desk.messages()) == 2
    assert any("Stop the reply" in said for said in desk.notices)


def test_drafts_outlive_the_window(qapp: QApplication) -> None:
    with open_desk(qapp, command=faulty()) as desk:
        desk.load()
        desk.ask("why")
        chat_id = desk.chat.chat_id
        desk.write("half a thought")
        desk.open_chat(None)
        desk.write("not sent yet")
    with open_desk(qapp, command=faulty()) as desk:
        assert desk.view.draft() == "not sent yet"
        desk.open_chat(chat_id)
        assert desk.view.draft() == "half a thought"


def test_the_list_shows_a_new_chat_at_once(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("some words")
    desk.drop(path)
    desk.until(lambda: str(desk.chat.chat_id) in desk.listed_chats())


def _prompts(desk: Desk) -> list[list[str]]:
    """What is sent to the engine from now on, as texts."""
    sent: list[list[str]] = []
    generate = desk.engine.generate

    def noting(prompt, generation):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        texts = [turn.text for turn in prompt.turns]
        sent.append([*texts, prompt.prefill_reply] if prompt.prefill_reply else texts)
        return generate(prompt, generation)

    desk.engine.generate = noting  # type: ignore[method-assign]
    return sent


# ---- what the context holds


def test_while_a_reply_is_written_the_ledger_tells_of_its_own_request(
    held_desk: Desk, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = held_desk
    shown: list[LedgerView] = []
    monkeypatch.setattr(desk.view, "set_ledger", shown.append)
    desk.load()
    desk.write("why is that so")
    desk.until(lambda: any(_parts(view)[:1] == [("message", 4)] for view in shown), "the draft")
    shown.clear()
    desk.ask("why is that so")
    assert all(view.segments for view in shown), "it was empty in between"
    desk.write("a draft " * 50)
    desk.until(lambda: shown and _parts(shown[-1])[0][1] > 100, "the long draft")
    shown.clear()
    hold.at(words=1)
    desk.chat.answering().again.regenerate()
    # The count may come behind the first words.
    desk.until(lambda: shown, "the count")
    hold.at(words=6)
    desk.until(lambda: len(shown) > 3, "words")
    growing = [view for view in shown if view.segments[0].tokens]
    assert growing
    assert all(_parts(view)[0] == ("message", 4) for view in growing), "that is the draft's count"
    hold.let_go()
    desk.until(lambda: desk.chat.replying_in is None)


def _parts(view: LedgerView) -> list[tuple[str, int]]:
    return [(part.kind, part.tokens) for part in view.segments]
