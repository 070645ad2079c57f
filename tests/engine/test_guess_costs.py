"""Whether a draft model is asked: where it pays, and how little is lost where it does not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

import pytest

from engine.llama.draft_model import DraftModel, Guess
from engine.llama.guess_costs import Chance, Costs, best_size
from engine.llama.guesses import DraftGuesser

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds of a step by its tokens: F16 on two cores, where the second token costs as much as the
# first, and a large model on a GPU, where more of them cost next to nothing.
TWO_CORES = {1: 0.031, 2: 0.066, 3: 0.077, 4: 0.076, 5: 0.091, 7: 0.107, 9: 0.123}
GPU = {1: 0.010, 2: 0.0102, 3: 0.0103, 4: 0.0104, 5: 0.0105, 7: 0.0107, 9: 0.011}
RIGHT, WRONG = 1, 2


class TimedDraft:
    """A draft that takes a given time and is right as often as told."""

    def __init__(self, token_s: float, agreement: float) -> None:
        self.costs, self.lost_s = Costs(forgets=False), 0.0
        self.chance, self.doubtful = Chance(3.6, 4), Chance(2, 4)
        self.spent_s = 0.0
        self._token_s, self._agreement = token_s, agreement
        self._random = random.Random(3)
        self._held = 0

    def begin(self, _text: Sequence[int]) -> None:
        self._held = 0

    def missing(self, text: Sequence[int]) -> int:
        return len(text) - self._held

    def read(self, text: Sequence[int]) -> None:
        self._held = len(text)

    def guess(self, text: Sequence[int], most: int, *, boldly: bool = False) -> list[Guess]:
        # Many tokens at once take half as long each.
        self.spent_s = (self.missing(text) - 1) * self._token_s / 2 + most * self._token_s
        self._held = len(text)
        return [
            Guess(RIGHT if self._random.random() < self._agreement else WRONG, is_sure=True)
            for _ in range(most)
        ]


def speed_up(step_s: dict[int, float], draft: TimedDraft, *, replies: int = 8) -> float:
    """How much faster than without guesses replies of 250 tokens are written."""
    spent_s = written = 0.0
    for _ in range(replies):
        guesser = DraftGuesser(cast("DraftModel", draft), [RIGHT] * 20, most=8)
        guesser.read()
        left = 250
        while left > 0:
            draft.spent_s = 0.0
            guess = guesser.propose(left)
            size = min(known for known in step_s if known > len(guess))
            right = next((at for at, one in enumerate(guess) if one != RIGHT), len(guess))
            for _ in range(right + 1):
                guesser.note(RIGHT)
            seconds = step_s[size] + draft.spent_s
            guesser.note_step(len(guess), right, seconds)
            spent_s += seconds
            written += right + 1
            left -= right + 1
    return written * step_s[1] / spent_s


def test_it_is_asked_where_only_many_guesses_at_once_pay() -> None:
    assert speed_up(TWO_CORES, TimedDraft(0.0087, agreement=1.0)) > 1.2


@pytest.mark.parametrize(("agreement", "least"), [(0.97, 2.5), (0.8, 1.4), (0.6, 1.05)])
def test_it_is_asked_where_checking_is_cheap(agreement: float, least: float) -> None:
    assert speed_up(GPU, TimedDraft(0.0015, agreement)) > least


@pytest.mark.parametrize("agreement", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("token_s", [0.0087, 0.031])
def test_little_is_lost_where_it_does_not_pay(agreement: float, token_s: float) -> None:
    assert speed_up(TWO_CORES, TimedDraft(token_s, agreement)) > 0.95


def test_a_step_that_was_held_up_is_not_believed() -> None:
    costs = Costs()
    for seconds in (3.0, 0.010, 0.011, 0.010):
        costs.note(1, seconds)
    assert costs.of(1) == 0.010


def test_sizes_between_and_beyond_those_measured_are_estimated() -> None:
    costs = Costs(forgets=False)
    assert costs.about(4) is None
    costs.note(1, 1.0)
    costs.note(9, 5.0)
    assert costs.about(5) == pytest.approx(3.0)
    # Little more than the largest known, so that it is tried where it would pay at that.
    assert 5.0 < (costs.about(16) or 0.0) < 7.0
    assert best_size([1, 2, 4, 8, 15], 15, 0.99, costs) == 15
    costs.forget_guesses()
    assert (costs.of(1), costs.of(9)) == (1.0, None)
