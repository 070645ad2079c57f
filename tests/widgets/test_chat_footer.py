"""The figures under a reply."""

from __future__ import annotations

from widgets.chat.footer import stats_groups, stats_tooltip
from widgets.chat.viewdata import ReplyStatsView


def test_guesses_are_shown_only_where_there_were_some() -> None:
    guessed = ReplyStatsView(tokens=200, guessed_tokens=124, guessed_right=108)
    assert [("87 %", True), (" guessed right", False)] in stats_groups(guessed)
    assert "124 tokens, 108 of them right" in stats_tooltip(guessed)
    plain = ReplyStatsView(tokens=200)
    assert "guess" not in str(stats_groups(plain)) + stats_tooltip(plain)
