"""The ledger tells to the token what a request then holds. All of it: `measure_ledger.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.settings import GenerationSettings
from engine.worker.protocol import Prompt, Turn
from tests.support.desk import open_desk
from tests.support.ledger_requests import Mixer

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QApplication


@pytest.mark.model
def test_what_is_measured_is_what_is_read(demo_model: Path, tmp_path: Path) -> None:
    mixer = Mixer(demo_model, tmp_path / "passages.sqlite3", n_ctx=256, seed=7)
    try:
        for _ in range(15):
            mixer.step()
    finally:
        mixer.close()
    assert not mixer.tally.wrong
    assert mixer.tally.cached_tokens
    assert mixer.tally.left_out


@pytest.mark.model
def test_a_count_that_another_replaced_is_asked_again(qapp: QApplication, demo_model: Path) -> None:
    """The engine answers the latest of several only; whoever chooses a document's mode asks too."""
    with open_desk(qapp) as desk:
        desk.load(demo_model)
        ledger = desk.desktop.ledger
        desk.until(lambda: ledger.latest is not None, "the first count")
        ledger.latest = None
        ledger.mark_dirty()
        desk.engine.measure(_request("word " * 200_000), GenerationSettings())
        ledger.refresh()
        desk.engine.measure(_request("word"), GenerationSettings())
        desk.until(lambda: ledger.latest is not None, "the count")


def _request(text: str) -> Prompt:
    return Prompt(chat_id="another", turns=(Turn(role="user", text=text),))
