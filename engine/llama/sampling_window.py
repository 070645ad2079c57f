"""The candidates that a draw needs: all tokens above a floor, laid out for llama.cpp."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.llama.library import api

_TOKEN_DATA = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
_FIRST_ROOM = 4096


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
        self.floor = 0.0
        self.is_all = False
        self._reserve(_FIRST_ROOM)

    def _reserve(self, room: int) -> None:
        self._data = np.empty(room, dtype=_TOKEN_DATA)
        self._ids = self._data["id"]
        self._logits = self._data["logit"]
        self._pointer = self._data.ctypes.data_as(api().llama_token_data_p)

    def __len__(self) -> int:
        return int(self._array.size)

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """The candidates' logits, as adjusted so far."""
        return self._logits[: self._array.size]

    @property
    def ids(self) -> npt.NDArray[np.int32]:
        """The candidates' tokens."""
        return self._ids[: self._array.size]

    def fill(
        self,
        logits: npt.NDArray[np.float32],
        floor: float,
        always: npt.NDArray[np.int64] | None,
        most: float,
    ) -> None:
        """Take every token whose logit is at least `floor`.

        Args:
            logits: Of the whole vocabulary.
            floor: Smallest logit that counts.
            always: Tokens to take wherever they stand.
            most: With more candidates than this, all tokens are taken.
        """
        found = np.flatnonzero(logits >= np.float32(floor))
        self.floor = float(np.float32(floor))
        self.is_all = len(found) > most or floor == -np.inf
        if self.is_all:
            found = np.arange(len(logits))
        elif always is not None:
            found = np.union1d(found, always)
        count = len(found)
        if count > len(self._data):
            self._reserve(count)
        self._ids[:count] = found
        self._logits[:count] = logits if self.is_all else logits[found]
        array = self._array
        array.data = self._pointer
        array.size = count
        array.selected = -1
        array.sorted = False

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


def survivors_of_top_p(
    found: Candidates, logits: npt.NDArray[np.float32], peak: float, top_p: float
) -> int | None:
    """How many candidates, sorted by this call, top-p keeps; None if the window is too narrow.

    The sum runs over the whole vocabulary, with the candidates at their adjusted logits.
    """
    candidates = found.logits.astype(np.float64)
    total = float(np.exp(logits - np.float32(peak), dtype=np.float32).sum(dtype=np.float64))
    before = np.exp(logits[found.ids].astype(np.float64) - peak).sum()
    total += float(np.exp(candidates - peak).sum() - before)
    found.sort()
    running = np.cumsum(np.exp(found.logits.astype(np.float64) - peak)) / total
    keep = int(np.searchsorted(running, top_p)) + 1
    if found.is_all:
        return min(keep, len(found))
    if keep > len(found) or float(found.logits[keep - 1]) < found.floor:
        return None
    return keep
