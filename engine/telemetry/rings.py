"""Preallocated histories of float values on one time axis, with NaN where a value is missing."""

from __future__ import annotations

import math
import threading
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        self._times_s = self._gaps(capacity)
        self._series: dict[str, array[float]] = {}
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
                self._series[key] = self._gaps(self._capacity)
            for key, ring in self._series.items():
                value = values.get(key)
                ring[at] = math.nan if value is None else value
            self._rows += 1

    def gap(self, time_s: float) -> None:
        """Add a row of gaps, so that a line is broken where nothing was sampled."""
        self.append(time_s, {})

    def read(self, key: str) -> tuple[array[float], array[float]]:
        """Times in seconds and values of a series, oldest first; an unknown series is all gaps."""
        with self._lock:
            times_s = self._in_order(self._times_s)
            ring = self._series.get(key)
            return times_s, self._gaps(len(times_s)) if ring is None else self._in_order(ring)

    def _in_order(self, ring: array[float]) -> array[float]:
        at = self._rows % self._capacity
        return ring[at:] + ring[:at] if self._rows > self._capacity else ring[: self._rows]

    @staticmethod
    def _gaps(count: int) -> array[float]:
        return array("d", (math.nan,)) * count
