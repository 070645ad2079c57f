"""The histories: order, capacity, gaps."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry import Rings

_values = st.none() | st.floats(allow_nan=False)
_rows = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), _values), max_size=40)


@given(capacity=st.integers(1, 12), rows=_rows)
def test_the_last_rows_come_back_oldest_first(
    capacity: int, rows: list[dict[str, float | None]]
) -> None:
    rings = Rings(capacity)
    for number, row in enumerate(rows):
        rings.append(float(number), row)
    kept = rows[-capacity:]
    for key in ("a", "b", "c"):
        times_s, values = rings.read(key)
        assert times_s.tolist() == [float(n) for n in range(len(rows) - len(kept), len(rows))]
        expected = [row.get(key) for row in kept]
        assert [None if math.isnan(value) else value for value in values] == expected
    assert rings.rows == len(rows)


def test_a_series_that_stops_goes_on_with_gaps() -> None:
    rings = Rings(4)
    rings.append(0.0, {"gone": 1.0, "stays": 1.0})
    rings.append(1.0, {"stays": 2.0})
    rings.gap(2.0)
    assert np.isnan(rings.read("gone")[1]).tolist() == [False, True, True]
    assert np.isnan(rings.read("stays")[1]).tolist() == [False, False, True]


def test_what_was_read_does_not_change_later() -> None:
    rings = Rings(2)
    rings.append(0.0, {"a": 1.0})
    _, values = rings.read("a")
    rings.append(1.0, {"a": 2.0})
    rings.append(2.0, {"a": 3.0})
    assert values.tolist() == [1.0]


def test_a_reader_beside_the_writer_sees_whole_rows() -> None:
    rings = Rings(64)
    done = threading.Event()

    def write() -> None:
        for number in range(5000):
            rings.append(float(number), {"a": float(number)})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not done.is_set():
            times_s, values = rings.read("a")
            assert np.array_equal(times_s, values)
            assert np.all(np.diff(times_s) == 1.0)
    finally:
        writer.join()


def test_a_capacity_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Rings(0)
