"""Vectors of whole documents in memory, as the search scores them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.documents.retrieval.ranges import Range

_KEPT_BYTES = 256 * 1024**2


class VectorCache:
    """Vectors of documents, read once and kept until something is written; the oldest go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Range], NDArray[np.float32]] = OrderedDict()
        self._version = 0

    def note(self, version: int) -> None:
        """Forget everything if the file is at another version than before."""
        if version != self._version:
            self._version = version
            self._kept.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def get(self, key: tuple[str, Range]) -> NDArray[np.float32] | None:
        """What is kept under a key."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: tuple[str, Range], matrix: NDArray[np.float32]) -> None:
        """Keep a matrix, and let others go for it."""
        self._kept[key] = matrix
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > (
            _KEPT_BYTES
        ):
            self._kept.popitem(last=False)
