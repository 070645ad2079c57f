"""Prompt lookup: what it guesses, and when it stops guessing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.llama.guess_costs import Costs
from engine.llama.lookup import NgramIndex, PromptLookup


def test_a_repeated_run_is_continued_as_it_went_before() -> None:
    index = NgramIndex([5, 6, 7, 8, 9, 1, 2, 5, 6, 7])
    assert index.continuation(3)[1] == [8, 9, 1]


def test_the_longest_run_decides_then_the_latest() -> None:
    long_ago = [1, 2, 3, 4, 5, 6, 90, 91]
    lately = [8, 5, 6, 70, 71]
    assert NgramIndex([*long_ago, *lately, 1, 2, 3, 4, 5, 6]).continuation(2)[1] == [90, 91]
    assert NgramIndex([*long_ago, *lately, 9, 5, 6]).continuation(2)[1] == [70, 71]


def test_new_text_is_not_guessed() -> None:
    assert NgramIndex([1, 2, 3, 4]).continuation(4)[1] == []
    assert NgramIndex([]).continuation(4)[1] == []


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 15))
def test_a_guess_is_what_once_followed_the_same_tokens(tokens: list[int], most: int) -> None:
    _, guess = NgramIndex(tokens).continuation(most)
    assert len(guess) <= most
    if guess:
        end = tokens[-2:]
        followed = [
            tokens[i + 2 : i + 2 + len(guess)]
            for i in range(len(tokens) - 2)
            if tokens[i : i + 2] == end
        ]
        assert guess in followed


@given(st.lists(st.integers(0, 3), min_size=3, max_size=60), st.integers(1, 59))
def test_an_index_grown_later_guesses_the_same(tokens: list[int], split: int) -> None:
    grown = NgramIndex(tokens[:split])
    for token in tokens[split:]:
        grown.add(token)
    assert grown.continuation(8) == NgramIndex(tokens).continuation(8)


PERIOD = [1, 2, 3, 4, 5, 6, 7, 8]


def driven(
    step_s: dict[int, float], tokens: list[int], text: list[int], costs: Costs | None = None
) -> PromptLookup:
    """Write `text` after `tokens`, on a machine that decodes n tokens in `step_s[n]` seconds."""
    lookup = PromptLookup(tokens, 15, costs)
    position = 0
    while position < len(text):
        lookup.note(text[position])
        position += 1
        guess = lookup.propose(15)
        right = 0
        for token in guess:
            if position >= len(text) or text[position] != token:
                break
            lookup.note(token)
            position += 1
            right += 1
        lookup.note_step(len(guess), right, step_s[len(guess) + 1])
    return lookup


FLAT = {1: 0.010, 2: 0.010, 4: 0.010, 8: 0.011, 16: 0.012}
STEEP = {1: 0.010, 2: 0.020, 4: 0.040, 8: 0.080, 16: 0.160}


def test_nothing_is_guessed_before_a_plain_step_was_timed() -> None:
    lookup = PromptLookup(PERIOD * 3, most=15)
    assert lookup.propose(15) == []
    lookup.note_step(0, 0, 0.010)
    assert lookup.propose(15)


def test_a_quote_is_guessed_in_large_steps_where_checking_is_cheap() -> None:
    lookup = driven(FLAT, PERIOD * 20, PERIOD * 40)
    assert lookup.accepted >= lookup.drafted - 1
    assert lookup.accepted > 0.85 * 320


def test_guesses_that_do_not_come_true_stop() -> None:
    # Every eight tokens something new: runs of two match, and go on wrong.
    text = [token for i in range(60) for token in (1, 2, 100 + i, 200 + i)]
    lookup = driven(FLAT | {16: 0.030, 8: 0.030, 4: 0.030, 2: 0.030}, [1, 2, 3, 4], text)
    assert lookup.accepted == 0
    assert lookup.drafted < 12


def test_guesses_stop_where_checking_costs_as_much_as_writing() -> None:
    lookup = driven(STEEP, PERIOD * 20, PERIOD * 40)
    # Each size is tried now and then, in case the machine was only busy.
    assert lookup.drafted < 0.25 * 320


def test_what_does_not_pay_is_not_tried_by_each_reply() -> None:
    costs = Costs()
    drafted = [driven(STEEP, PERIOD * 9, PERIOD * 12, costs).drafted for _ in range(12)]
    assert drafted[0] > 0
    # Tried again later, and later ever more rarely.
    assert sum(drafted[6:]) < sum(drafted[:6])
    assert drafted.count(0) > 6


def test_a_deeper_context_makes_no_size_look_dear() -> None:
    costs = Costs()
    assert driven(FLAT, PERIOD * 20, PERIOD * 40, costs).accepted > 0.85 * 320
    deep = {size: 4 * seconds for size, seconds in FLAT.items()}
    assert driven(deep, PERIOD * 20, PERIOD * 40, costs).accepted > 0.85 * 320
    assert driven(FLAT, PERIOD * 20, PERIOD * 40, costs).accepted > 0.85 * 320


def test_a_quote_is_found_again_after_free_text() -> None:
    free = list(range(300, 420))
    lookup = driven(FLAT, PERIOD * 20, free + PERIOD * 20)
    assert lookup.accepted > 0.8 * 160


def test_room_bounds_a_guess() -> None:
    lookup = PromptLookup(PERIOD * 3, most=15)
    lookup.note_step(0, 0, 0.010)
    assert len(lookup.propose(1)) == 1
    assert lookup.propose(0) == []
    assert lookup.propose(-1) == []
    assert PromptLookup(PERIOD * 3, most=0).propose(5) == []
