"""The main job in the real window with the real demo model, as a person does it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

import assets
from app.session import State
from tests.support.desk import Desk, open_desk
from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

pytestmark = [pytest.mark.model, pytest.mark.e2e]


def settle_for(desk: Desk, max_tokens: int, *, is_endless: bool = False) -> None:
    """Answers of so many tokens at most that are the same each time.

    What is to be interrupted must not end by itself before: the tokens for that are forbidden.
    """
    changed = msgspec.structs.replace(
        desk.desktop.settings.generation,
        max_tokens=max_tokens,
        temperature=0.0,
        logit_bias=("2=-inf", "0=-inf") if is_endless else (),
    )
    desk.desktop.settings.set_generation(changed)


def test_from_first_start_to_the_second(qapp: QApplication) -> None:
    with open_desk(qapp) as desk:
        assert desk.cards() == ["first_run"]
        desk.press("cardAction_load_demo")
        desk.until_state(State.READY)
        settle_for(desk, 24)
        assert desk.cards() == ["empty"]

        reply = desk.ask("What is the capital of France?")
        assert "Paris" in reply.text
        assert reply.stats is not None
        assert reply.stats.tokens
        assert reply.stats.tokens_per_second

        _stop_with_esc(desk)
        _ask_about_the_sample(desk)
        _kill_and_go_on(desk)
        chat_id = desk.chat.chat_id
        texts = [(message.text, message.state) for message in desk.messages()]
        title = desk.store.chats.all()[0].title
        desk.desktop.window.theme_chosen.emit("dark")
        model = desk.engine.session.wanted

    with open_desk(qapp) as desk:
        assert theme.mode() == "dark"
        assert desk.listed_chats() == [str(chat_id)]
        assert desk.store.chats.all()[0].title == title == "What is the capital of France?"
        desk.open_chat(chat_id)
        assert [(message.text, message.state) for message in desk.messages()] == texts
        desk.desktop.open_first()
        desk.until_state(State.READY)
        assert desk.engine.session.wanted == model
        desk.until(lambda: not desk.desktop.shelf.is_busy(chat_id or 0))
        settle_for(desk, 8)
        assert desk.ask("And of Italy?").text
        desk.until(lambda: desk.desktop.ledger.latest is not None, "the ledger")


def _stop_with_esc(desk: Desk) -> None:
    settle_for(desk, 2000, is_endless=True)
    desk.send("Tell me a long story about a ship.")
    desk.until(lambda: len(desk.messages()) == 4 and len(desk.messages()[-1].text) > 20)
    QTest.keyClick(desk.view.composer.input, Qt.Key.Key_Escape)
    desk.until_state(State.READY)
    shown = desk.messages()[-1]
    assert shown.state == "stopped"
    assert len(shown.text) > 20
    assert desk.stored()[-1].text == shown.text


def _ask_about_the_sample(desk: Desk) -> None:
    settle_for(desk, 24)
    desk.drop(assets.FOLDER / "sample.pdf")
    before = len(desk.messages())
    desk.send("What is a leadline?")
    desk.until(lambda: len(desk.messages()) == before + 2 and desk.chat.replying_in is None)
    reply = desk.messages()[-1]
    assert reply.text
    assert reply.stats is not None
    assert (reply.stats.read_tokens or 0) > 500, "the document was not given to the model"
    assert desk.messages()[-2].documents == ("sample.pdf",)


def _kill_and_go_on(desk: Desk) -> None:
    settle_for(desk, 2000, is_endless=True)
    desk.send("Tell me another long story.")
    desk.until(lambda: desk.engine.session.state is State.WRITING)
    desk.until(lambda: len(desk.messages()[-1].text) > 20)
    pid = desk.engine.pid
    assert pid
    shown = desk.messages()[-1].text
    os.kill(pid, signal.SIGKILL)
    desk.until_state(State.DIED)
    assert desk.desktop.window.isVisible()
    assert desk.messages()[-1].text.startswith(shown)
    assert desk.messages()[-1].state == "interrupted"
    assert desk.cards() == ["engine_died"]
    assert "SIGKILL" in desk.card_text("engine_died")
    desk.press("cardAction_restart")
    desk.until_state(State.READY)
    settle_for(desk, 8)
    before = len(desk.messages())
    desk.send("What is the capital of France?")
    desk.until(lambda: len(desk.messages()) == before + 2 and desk.chat.replying_in is None)
    assert desk.messages()[-1].text, desk.messages()[-1].state_text
