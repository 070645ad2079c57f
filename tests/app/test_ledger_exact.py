"""The ledger tells to the token what a request then holds. All of it: `measure_ledger.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.ledger_requests import Mixer

if TYPE_CHECKING:
    from pathlib import Path


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
