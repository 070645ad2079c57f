"""The speed that is told between two words of the engine."""

from __future__ import annotations

import pytest

from app.instruments import bounded_rate, step_of
from engine.worker.protocol import Delta, PrefillProgress


def test_a_rate_stands_while_the_next_tokens_are_due() -> None:
    assert bounded_rate(40.0, 1, 0.5) == 40.0
    assert bounded_rate(None, 1, 5.0) is None


def test_late_tokens_lower_the_rate_and_leave_no_gap() -> None:
    assert bounded_rate(40.0, 1, 4.0) == 0.25
    # A batch of reading may take seconds at its ordinary speed.
    assert bounded_rate(100.0, 512, 4.0) == 100.0
    assert bounded_rate(100.0, 512, 10.0) == pytest.approx(51.2)


def test_reading_that_has_just_begun_is_not_one_token_long() -> None:
    begun = PrefillProgress(request_id=1, done=3, total=1773, cached=3)
    assert step_of(begun, 90) == 1770
    assert bounded_rate(65.8, step_of(begun, 90), 4.0) == 65.8
    on = PrefillProgress(request_id=1, done=515, total=1773, cached=3)
    assert step_of(on, 3) == 512
    written = Delta(request_id=1, text="A", thinking=False, completion_tokens=1, context_used=1774)
    assert step_of(written, 1773) == 1
