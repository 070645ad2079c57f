"""Preallocated histories of float values on one time axis, with NaN where a value is missing."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

Floats = npt.NDArray[np.float64]


class Rings:
    """The last `capacity` rows of named series.

    Owned by the sampler, whose thread appends; any thread may read copies. A series that appears
    later has NaN before its first value; one that stops appearing goes on with NaN.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._capacity = capacity
        self._lock = threading.Lock()
        self._times_s = np.full(capacity, math.nan)
        self._series: dict[str, Floats] = {}
        self._rows = 0

    @property
    def capacity(self) -> int:
        """How many rows are kept."""
        return self._capacity

    @property
    def rows(self) -> int:
        """Rows ever appended: a plot needs a repaint when this has changed."""
        return self._rows

    def keys(self) -> tuple[str, ...]:
        """Names of all series seen so far."""
        with self._lock:
            return tuple(self._series)

    def append(self, time_s: float, values: Mapping[str, float | None]) -> None:
        """Add one row; a series that is not in `values`, or is None there, gets a gap."""
        with self._lock:
            at = self._rows % self._capacity
            self._times_s[at] = time_s
            for key in values.keys() - self._series.keys():
                self._series[key] = np.full(self._capacity, math.nan)
            for key, ring in self._series.items():
                value = values.get(key)
                ring[at] = math.nan if value is None else value
            self._rows += 1

    def gap(self, time_s: float) -> None:
        """Add a row of gaps, so that a line is broken where nothing was sampled."""
        self.append(time_s, {})

    def read(self, key: str) -> tuple[Floats, Floats]:
        """Times in seconds and values of a series, oldest first; an unknown series is all gaps."""
        with self._lock:
            order = self._order()
            times_s = self._times_s[order]
            ring = self._series.get(key)
            return times_s, np.full(len(times_s), math.nan) if ring is None else ring[order]

    def _order(self) -> npt.NDArray[np.intp]:
        kept = min(self._rows, self._capacity)
        return np.arange(self._rows - kept, self._rows, dtype=np.intp) % self._capacity
