"""Which sequence a prompt starts from, what is saved and what is let go: the pure decisions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from engine.llama.parking import Checkpoint, Checkpoints, Parked, ParkingLot, common_prefix
from engine.llama.reuse_choice import Held, can_cut, marks_to_save, start_from

TOKENS = st.lists(st.integers(0, 3), max_size=40)


def array(values: list[int]) -> npt.NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def state(size: int) -> npt.NDArray[np.uint8]:
    return np.zeros(size, dtype=np.uint8)


def parked(chat_id: str, values: list[int], size: int) -> Parked:
    return Parked(chat_id, array(values), state(size), 0, ())


@given(TOKENS, TOKENS)
def test_common_prefix_is_the_longest(one: list[int], other: list[int]) -> None:
    length = common_prefix(array(one), array(other))
    assert one[:length] == other[:length]
    assert length in (len(one), len(other)) or one[length] != other[length]


@given(TOKENS, st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_last_token_is_always_read(held: list[int], tokens: list[int]) -> None:
    start = start_from(Held("a", array(held), 0, ()), array(tokens), window=0)
    assert start.usable == min(start.common, len(tokens) - 1)


def test_recurrent_memory_goes_on_from_its_end_or_from_a_checkpoint() -> None:
    saved = (Checkpoint(10, state(1)), Checkpoint(20, state(1)))
    held = Held("a", array(list(range(30))), lowest=29, checkpoints=saved)
    longer, edited = array(list(range(40))), array([*range(15), 99, 99, 99])
    assert start_from(held, longer, window=0).usable == 30
    assert start_from(held, edited, window=0).usable == 10
    assert start_from(held, array([*range(5), 99, 99]), window=0).usable == 0


def test_window_must_be_there_as_far_as_the_next_token_sees() -> None:
    assert can_cut(lowest=0, length=1, window=512)
    assert can_cut(lowest=489, length=1000, window=512)
    assert not can_cut(lowest=490, length=1000, window=512)
    assert not can_cut(lowest=999, length=999, window=0)


@given(st.lists(st.integers(0, 5000), max_size=30), st.integers(0, 5000), st.integers(1, 5000))
def test_marks_rise_and_lie_in_what_is_read(marks: list[int], kept: int, total: int) -> None:
    chosen = marks_to_save(marks, kept, total)
    assert chosen == sorted(set(chosen))
    assert all(kept < mark < total for mark in chosen)
    assert len(chosen) <= 9
    assert total - 1 <= kept or chosen[-1] == total - 1


def test_end_of_a_document_is_saved_however_short_the_question() -> None:
    assert marks_to_save((850, 852, 860), 0, 862) == [850, 861]
    assert marks_to_save((850, 852, 860, 900), 851, 990) == [852, 900, 989]
    assert marks_to_save((850,), 860, 861) == []


def test_end_of_a_prompt_is_saved_behind_its_last_token_where_one_can_be_cut() -> None:
    assert marks_to_save((850,), 0, 862, reaches_back=True) == [850, 862]
    assert marks_to_save((850, 861), 861, 862, reaches_back=True) == []


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 50)), max_size=60))
def test_checkpoints_stay_in_order_and_within_bounds(added: list[tuple[int, int]]) -> None:
    checkpoints = Checkpoints()
    for position, size in added:
        checkpoints.add(Checkpoint(position, state(size)), budget_bytes=120)
        positions = [checkpoint.position for checkpoint in checkpoints]
        assert positions == sorted(set(positions))
        assert positions[-1] == position
        assert checkpoints.bytes <= 120 or len(positions) <= 2


def test_oldest_chat_goes_when_room_is_short_and_is_remembered() -> None:
    lot = ParkingLot(budget_bytes=100)
    for name in "abc":
        lot.park(parked(name, [ord(name)] * 4, 40))
    lot.shrink(reserved_bytes=0)
    assert [entry.chat_id for entry in lot.parked] == ["b", "c"]
    assert list(lot.evicted) == ["a"]
    lot.use(lot.parked[0], keep=True)
    lot.shrink(reserved_bytes=30)
    assert [entry.chat_id for entry in lot.parked] == ["b"]


def test_longer_copy_of_a_chat_takes_the_place_of_the_shorter() -> None:
    lot = ParkingLot(budget_bytes=1000)
    lot.park(parked("a", [1, 2, 3], 10))
    lot.park(parked("a", [1, 2, 3, 4], 12))
    lot.park(parked("a", [1, 9], 5))
    assert [len(entry.tokens) for entry in lot.parked] == [4, 2]
    lot.forget("a")
    assert lot.bytes == 0
