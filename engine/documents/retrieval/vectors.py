"""Vectors of whole documents in memory, as the search scores them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from engine.documents.retrieval.fuse import Hit

if TYPE_CHECKING:
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


def unit_of(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A vector of length one, so that a dot product is the cosine; zero stays zero."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, np.float32)


def best_of(ids: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> list[Hit]:
    """The hits with the largest scores, best first."""
    # Only the best few are put in order: sorting all would take longer than scoring them.
    few = min(limit, len(ids))
    best = np.argpartition(-scores, few - 1)[:few]
    best = best[np.lexsort((ids[best], -scores[best]))]
    return [
        Hit(chunk_id=int(ids[at]), score=float(scores[at]), rank=rank)
        for rank, at in enumerate(best, start=1)
    ]
