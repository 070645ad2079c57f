"""The speed that is told between two words of the engine."""

from __future__ import annotations

import pytest

from app.instruments import bounded_rate


def test_a_rate_stands_while_the_next_tokens_are_due() -> None:
    assert bounded_rate(40.0, 1, 0.5) == 40.0
    assert bounded_rate(None, 1, 5.0) is None


def test_late_tokens_lower_the_rate_and_leave_no_gap() -> None:
    assert bounded_rate(40.0, 1, 4.0) == 0.25
    # A batch of reading may take seconds at its ordinary speed.
    assert bounded_rate(100.0, 512, 4.0) == 100.0
    assert bounded_rate(100.0, 512, 10.0) == pytest.approx(51.2)
