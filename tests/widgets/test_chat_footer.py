"""The figures under a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QApplication, QPushButton

from widgets import theme
from widgets.chat.footer import Footer, stats_groups, stats_tooltip
from widgets.chat.viewdata import MessageView, ReplyStatsView

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def test_guesses_are_shown_only_where_there_were_some() -> None:
    guessed = ReplyStatsView(tokens=200, guessed_tokens=124, guessed_right=108)
    assert [("87 %", True), (" guessed right", False)] in stats_groups(guessed)
    assert "124 tokens, 108 of them right" in stats_tooltip(guessed)
    plain = ReplyStatsView(tokens=200)
    assert "guess" not in str(stats_groups(plain)) + stats_tooltip(plain)


@pytest.mark.parametrize("text_px", [10, 13, 20, 28])
@pytest.mark.parametrize("is_reply", [True, False])
def test_words_are_evenly_apart_and_stay_when_it_is_copied(
    qtbot: QtBot, qapp: QApplication, text_px: int, is_reply: bool
) -> None:
    theme.apply(qapp, "light")
    theme.set_text_size(qapp, text_px)
    try:
        footer = Footer(is_reply=is_reply)
        qtbot.addWidget(footer)
        footer.resize(900, theme.px(28))
        footer.show_view(MessageView(id="1", role="assistant", text="x"), is_busy=False)
        footer.set_actions_shown(True)
        footer.show()
        words = footer.findChildren(QPushButton)
        copy, following, third = words
        before = [word.geometry() for word in words]
        ends = [word.x() + 9 + word.fontMetrics().horizontalAdvance(word.text()) for word in words]
        gaps = [following.x() + 9 - ends[0], third.x() + 9 - ends[1]]
        footer.say_copied()
        footer.arrange()
        assert copy.text() == "Copied"
        assert [word.geometry() for word in words] == before
        end = copy.x() + 9 + copy.fontMetrics().horizontalAdvance("Copied")
        assert copy.geometry().right() >= end
        assert following.x() + 9 - end >= 6
        assert gaps[0] == gaps[1]
    finally:
        theme.set_text_size(qapp, 13)
