"""Finds the largest logits of a vocabulary: compiled, or with numpy where nothing was compiled.

Both find the same tokens. The compiled form takes one call where numpy takes a dozen, and where a
GPU writes a thousand tokens a second those are a tenth of its time.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import UserError
from engine.native import library_path

if TYPE_CHECKING:
    from engine.llama.sampling_window import Candidates, Ids, Logits, Peaks

# As in the source, sampling.c.
BLOCK = 128
BROKEN, TOO_MANY = -1, -2
# More than the outputs of a batch.
_ADDRESSES_KEPT = 64


class Search:
    """Fills candidates from logits of `n_vocab` tokens. Owned by one sampler.

    Every method raises `UserError` ``engine.bad_logits`` where it meets a logit that is no number
    or infinite.
    """

    def __init__(self, n_vocab: int) -> None:
        self._compiled = _Compiled.of(n_vocab)

    def likeliest(self, found: Candidates, logits: Logits) -> int:
        """The token with the largest logit, the first of several."""
        if self._compiled is not None and self._compiled.fill(found, logits, 1) is not None:
            return int(found.ids[0])
        token = int(logits.argmax())
        sound(float(logits[token]))
        return token

    def fill(self, found: Candidates, peaks: Peaks, rank: int, always: Ids | None) -> None:
        """Take at least the `rank` largest logits, and the tokens `always`."""
        if self._compiled is not None:
            floor = self._compiled.fill(found, peaks.logits, rank)
            if floor is not None and found.add(peaks.logits, floor, always):
                return
        found.fill(peaks, sound(peaks.floor(rank)), always)


def sound(logit: float) -> float:
    """The same logit.

    Raises:
        UserError: ``engine.bad_logits``: it is not a number, or infinite.
    """
    if logit != logit or logit == math.inf:
        raise UserError("engine.bad_logits")
    return logit


def tops_room(n_vocab: int) -> int:
    """How many numbers the compiled search needs room for."""
    # One per block, one for what is left over, and up to the end of the widest vector.
    return n_vocab // BLOCK + 17


@cache
def compiled_library() -> ctypes.CDLL | None:
    """The library of sampling.c, or None where it was not compiled."""
    try:
        return ctypes.CDLL(str(library_path()))
    except OSError:
        return None


class _Compiled:
    """The search of sampling.c, with its scratch memory."""

    def __init__(self, library: ctypes.CDLL, n_vocab: int) -> None:
        pointer, count = ctypes.c_void_p, ctypes.c_int32
        self._find = library.leadline_candidates
        self._find.argtypes = [pointer, count, count, pointer, count, pointer, pointer]
        self._n_vocab = n_vocab
        self._tops = np.empty(tops_room(n_vocab), dtype=np.float32)
        self._tops_address = self._tops.ctypes.data
        self._floor = ctypes.c_float()
        self._floor_address = ctypes.addressof(self._floor)
        self._addresses: dict[int, tuple[Logits, int]] = {}

    @classmethod
    def of(cls, n_vocab: int) -> _Compiled | None:
        """None where nothing was compiled, or the vocabulary is too small to divide."""
        library = compiled_library()
        return cls(library, n_vocab) if library is not None and n_vocab >= BLOCK else None

    def fill(self, found: Candidates, logits: Logits, rank: int) -> float | None:
        """Fill the candidates; the least logit among them, or None where the rank is too large."""
        # Asking numpy for an address takes longer than finding it here.
        known = self._addresses.get(id(logits))
        if known is None:
            if len(self._addresses) >= _ADDRESSES_KEPT:
                self._addresses.clear()
            known = self._addresses[id(logits)] = (logits, logits.ctypes.data)
        room, array = found.prepared()
        tops, floor = self._tops_address, self._floor_address
        code = self._find(known[1], self._n_vocab, rank, tops, room, array, floor)
        if code == BROKEN:
            raise UserError("engine.bad_logits")
        return None if code == TOO_MANY else self._floor.value
