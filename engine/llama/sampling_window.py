"""The candidates that a draw needs: all tokens above a floor, laid out for llama.cpp."""

from __future__ import annotations

import ctypes
import math
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.llama.library import api

Logits: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.intp]

_TOKEN_DATA = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
_FIRST_ROOM = 4096
# Logits in a column. Measured for 49k and 262k tokens: half or double costs a third more.
_ROWS = 128
_MOST_HALVINGS = 8


class Peaks:
    """The logits of a vocabulary, and how to find the tokens above a floor fast.

    The logits are laid out as a table and the largest of each column is kept. The n-th largest of
    these is a floor with at least n tokens at or above it, and only few columns reach it.

    Attributes:
        logits: Of the whole vocabulary.
    """

    def __init__(self, logits: Logits, rank: int = 1) -> None:
        """Args: the logits, and the largest rank that `floor` will be asked for first."""
        self.logits = logits
        self._rank = rank

    # Laid out when something is looked up: a compiled search needs the logits alone.

    @cached_property
    def _columns(self) -> int:
        return min(len(self.logits), max(len(self.logits) // _ROWS, 4 * self._rank))

    @cached_property
    def _table(self) -> Logits:
        whole = len(self.logits) // self._columns * self._columns
        return self.logits[:whole].reshape(-1, self._columns)

    @cached_property
    def _rest(self) -> Logits:
        """What is too little for another row."""
        return self.logits[self._table.size :]

    @cached_property
    def _highest(self) -> Logits:
        """The largest logit of each column."""
        highest: Logits = np.maximum.reduce(self._table, axis=0)
        if len(self._rest):
            head = highest[: len(self._rest)]
            np.maximum(head, self._rest, out=head)
        return highest

    @cached_property
    def top(self) -> float:
        """The largest logit."""
        return float(self._highest.max())

    def floor(self, rank: int) -> float:
        """A logit that at least `rank` tokens reach; minus infinity if that would be most.

        Not a number where any of the logits is none.
        """
        if rank * 2 > self._columns:
            return -math.inf
        ordered = self._highest.copy()
        ordered.partition(self._columns - rank)
        # Numbers that are none come last, and spoil the sum.
        if not math.isfinite(ordered[self._columns - rank :].sum()):
            return math.nan
        return float(ordered[self._columns - rank])

    @cached_property
    def mass(self) -> float:
        """Sum over the vocabulary of e to the power of each logit's distance from the top."""
        return float(np.exp(self.logits - np.float32(self.top)).sum(dtype=np.float64))

    def above(self, floor: float) -> Ids:
        """All tokens whose logit is at least `floor`."""
        bound = np.float32(floor)
        columns = (self._highest >= bound).nonzero()[0]
        if len(columns) * 4 > self._columns:
            return (self.logits >= bound).nonzero()[0]
        # Flat, because numpy finds the true ones of a table far more slowly.
        hits = (self._table.take(columns, axis=1) >= bound).ravel().nonzero()[0]
        rows = hits // len(columns)
        found: Ids = rows * self._columns + columns[hits - rows * len(columns)]
        if len(self._rest):
            more = (self._rest >= bound).nonzero()[0] + self._table.size
            found = np.concatenate((found, more))
        return found


class Candidates:
    """Ids and logits of candidates, in one array that llama.cpp's samplers work on.

    Attributes:
        native: The `llama_token_data_array`, by reference.
        floor: Every token at least this likely is among the candidates.
        is_all: The candidates are the whole vocabulary.
    """

    def __init__(self) -> None:
        self._array = api().llama_token_data_array()
        self.native: Any = ctypes.byref(self._array)
        self._address = ctypes.addressof(self._array)
        self.floor = 0.0
        self.is_all = False
        self._reserve(_FIRST_ROOM)
        # Whoever was given its address goes on writing there when more room was needed once.
        self._first = self._data

    def _reserve(self, room: int) -> None:
        self._room = room
        self._data = np.empty(room, dtype=_TOKEN_DATA)
        self._ids = self._data["id"]
        self._logits = self._data["logit"]
        self._pointer = self._data.ctypes.data_as(api().llama_token_data_p)

    def __len__(self) -> int:
        return int(self._array.size)

    @property
    def logits(self) -> Logits:
        """The candidates' logits, as adjusted so far."""
        return self._logits[: self._array.size]

    @property
    def ids(self) -> npt.NDArray[np.int32]:
        """The candidates' tokens."""
        return self._ids[: self._array.size]

    def survivors(self) -> dict[int, float]:
        """The tokens that the last draw was between, with their probabilities."""
        # XTC moves the pointer, so read through it.
        left = (self._array.data[index] for index in range(self._array.size))
        return {token.id: token.p for token in left}

    def prepared(self) -> tuple[int, int]:
        """Room for candidates that somebody else writes, and the address of the array."""
        # XTC has moved the pointer.
        self._array.data = self._pointer
        return self._room, self._address

    @property
    def data_address(self) -> int:
        """Of the candidates themselves."""
        return int(self._data.ctypes.data)

    def add(self, logits: Logits, floor: float, always: Ids | None) -> bool:
        """Add tokens to candidates that were written elsewhere; False where there is no room.

        Args:
            logits: Of the whole vocabulary.
            floor: All tokens at least this likely are among the candidates.
            always: Tokens to take wherever they stand.
        """
        self.floor, self.is_all = floor, False
        if always is None:
            return True
        more = always[logits[always] < np.float32(floor)]
        start, end = int(self._array.size), int(self._array.size) + len(more)
        if end > self._room:
            return False
        self._ids[start:end] = more
        self._logits[start:end] = logits[more]
        self._array.size = end
        return True

    def fill(self, peaks: Peaks, floor: float, always: Ids | None) -> None:
        """Take every token whose logit is at least `floor`.

        Args:
            peaks: Of the logits to choose by.
            floor: Smallest logit that counts; minus infinity takes the whole vocabulary.
            always: Tokens to take wherever they stand.
        """
        if floor == -math.inf:
            self.take(np.arange(len(peaks.logits)), peaks.logits, floor)
            return
        found = peaks.above(floor)
        if always is not None:
            found = np.union1d(found, always)
        self.take(found, peaks.logits[found], floor)

    def take(self, ids: Ids | npt.NDArray[np.int32], logits: Logits, floor: float) -> None:
        """Take these tokens, all that can come and are at least `floor` among them."""
        self.floor, self.is_all = floor, floor == -math.inf
        count = len(ids)
        if count > len(self._data):
            self._reserve(count)
        self._ids[:count] = ids
        self._logits[:count] = logits
        array = self._array
        array.data = self._pointer
        array.size = count
        array.selected = -1
        array.sorted = False

    def drop_ruled_out(self) -> None:
        """Drop those whose logit is minus infinity."""
        count = int(self._array.size)
        left = self._data[:count][self._logits[:count] > -math.inf]
        self._data[: len(left)] = left
        self._array.size = len(left)

    def sort(self) -> None:
        """Order by falling logit."""
        count = int(self._array.size)
        order = np.argsort(-self._logits[:count], kind="stable")
        self._data[:count] = self._data[:count][order]
        self._array.sorted = True

    def truncate(self, count: int) -> None:
        """Keep the first candidates."""
        self._array.size = count

    def selected(self) -> int:
        """The token that the samplers chose."""
        return int(self._array.data[self._array.selected].id)


def floor_reached(logits: Logits, wanted: int, above: float) -> float:
    """A floor that `wanted` logits reach, and mostly fewer than twice as many.

    To count what reaches a floor takes a twentieth of the time that sorting would.

    Args:
        logits: More than are wanted.
        wanted: How many there have to be.
        above: Where to look downward from.
    """
    low, high, step = above, above, 1.0
    while (reach := np.count_nonzero(logits >= np.float32(low))) < wanted and low > -math.inf:
        low, high, step = low - step, low, step * 2
    for _ in range(_MOST_HALVINGS):
        if reach <= 2 * wanted:
            break
        middle = (low + high) / 2
        count = np.count_nonzero(logits >= np.float32(middle))
        if count < wanted:
            high = middle
        else:
            low, reach = middle, count
    return low


def survivors_of_top_p(found: Candidates, peaks: Peaks, top_p: float) -> int | None:
    """How many candidates, sorted by this call, top-p keeps; None if the window is too narrow.

    The sum runs over the whole vocabulary, with the candidates at their adjusted logits.
    """
    before = np.exp(peaks.logits[found.ids].astype(np.float64) - peaks.top).sum()
    weights = np.exp(found.logits.astype(np.float64) - peaks.top)
    outside = 0.0 if found.is_all else peaks.mass - float(before)
    total = outside + float(weights.sum())
    if not found.is_all and weights.sum() < top_p * total:
        return None
    found.sort()
    running = np.cumsum(np.exp(found.logits.astype(np.float64) - peaks.top)) / total
    keep = int(np.searchsorted(running, top_p)) + 1
    if found.is_all:
        return min(keep, len(found))
    if keep > len(found) or float(found.logits[keep - 1]) < found.floor:
        return None
    return keep
