"""The figures under a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from PySide6.QtWidgets import QApplication, QPushButton

from widgets import theme
from widgets.chat.footer import Footer
from widgets.chat.reply_stats import stats_groups, stats_tooltip
from widgets.chat.viewdata import MessageView, ReplyStatsView

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def test_guesses_are_shown_only_where_there_were_some() -> None:
    guessed = ReplyStatsView(tokens=200, guessed_tokens=124, guessed_right=108)
    assert [("87 %", True), (" guessed right", False)] in stats_groups(guessed)
    assert "124 tokens, 108 of them right" in stats_tooltip(guessed)
    plain = ReplyStatsView(tokens=200)
    assert "guess" not in str(stats_groups(plain)) + stats_tooltip(plain)


FIGURES = ReplyStatsView(
    tokens=312,
    tokens_per_second=41.2,
    first_token_s=0.8,
    cached_tokens=18_100,
    read_tokens=46,
    stop_reason="end of reply",
)


@pytest.mark.parametrize("width_px", [330, 440, 658, 720])
def test_the_row_under_a_reply_is_as_high_before_its_figures_come(
    qtbot: QtBot, qapp: QApplication, width_px: int
) -> None:
    theme.apply(qapp, "light")
    footer = Footer(is_reply=True)
    qtbot.addWidget(footer)
    view = MessageView(id="1", role="assistant", text="x", state="streaming")
    footer.show_view(view, is_busy=True)
    before = footer.height_for(width_px)
    footer.show_view(replace(view, state="complete", stats=FIGURES), is_busy=False)
    assert footer.height_for(width_px) == before


def test_figures_take_a_second_line_where_one_is_too_short(
    qtbot: QtBot, qapp: QApplication
) -> None:
    theme.apply(qapp, "light")
    footer = Footer(is_reply=True)
    qtbot.addWidget(footer)
    footer.show_view(MessageView(id="1", role="assistant", text="x", stats=FIGURES), is_busy=False)
    footer.set_actions_shown(True)
    heights = []
    for width_px in (900, 500, 300):
        footer.resize(width_px, footer.height_for(width_px))
        footer.arrange()
        heights.append(footer.height())
        below = [word.y() for word in footer.findChildren(QPushButton)]
        is_beside = width_px == 900
        assert all((y < footer.stats.geometry().bottom()) == is_beside for y in below)
        assert footer.stats.geometry().right() <= width_px
    assert heights == [theme.px(28), 2 * theme.px(28), 2 * theme.px(28) + theme.px(20)]


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
