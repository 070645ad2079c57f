"""How the tokens of a vocabulary begin, so that a grammar need not be asked about each of them.

A grammar that does not let a byte come next lets no token come that begins with it. So it is asked
about a few hundred bytes instead of a few hundred thousand tokens. Half of a vocabulary begins with
a blank: those are told apart by the byte behind it.
"""

from __future__ import annotations

import ctypes
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.llama.library import ggml

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.llama.sampling_window import Ids

Bytes: TypeAlias = npt.NDArray[np.bool_]

BYTES = 256
_BLANK = ord(" ")
_BEHIND_BLANK = BYTES
# What has no text never comes.
_NEVER = 2 * BYTES
# Longer pieces are looked at one by one; there are a handful.
_ROOM = 64


class Openings:
    """Tokens by their first byte, or their second behind a blank. Made once per vocabulary.

    Attributes:
        alone: For each byte the token that is nothing else, or -1.
        blank: The token of one blank, or -1.
    """

    def __init__(self, vocab: int, n_vocab: int, piece: Callable[[int], bytes]) -> None:
        """Read the vocabulary, which takes some 0.2 s for 262,144 tokens.

        Args:
            vocab: The `llama_vocab`.
            n_vocab: How many tokens it has.
            piece: Gives the text of a token, that of a control token as well.
        """
        self._vocab, self._n_vocab = vocab, n_vocab
        lengths, firsts, seconds = _beginnings(vocab, n_vocab, piece)
        kinds = firsts.astype(np.int16)
        behind_blank = (lengths > 1) & (firsts == _BLANK)
        kinds[behind_blank] = seconds[behind_blank].astype(np.int16) + _BEHIND_BLANK
        kinds[(lengths == 0) | (firsts == 0)] = _NEVER
        single = np.flatnonzero((lengths == 1) & (kinds < BYTES))
        self.alone: npt.NDArray[np.int32] = np.full(BYTES, -1, dtype=np.int32)
        # Of several the first one stays.
        self.alone[firsts[single][::-1]] = single[::-1]
        self.blank = int(self.alone[_BLANK])
        self._kinds = kinds
        self._tokens: Ids = np.argsort(kinds, kind="stable")
        self._bounds = np.searchsorted(kinds[self._tokens], np.arange(_NEVER + 1)).tolist()

    def of(self, first: Bytes, behind_blank: Bytes, *, may_end: bool) -> Ids:
        """Tokens that begin with one of these bytes, or with a blank and one of the others.

        With `may_end` those that end a turn are among them, whatever they begin with.
        """
        bounds, chosen = self._bounds, np.concatenate((first, behind_blank, [False]))
        kinds = np.flatnonzero(chosen).tolist()
        some = [self._tokens[bounds[kind] : bounds[kind + 1]] for kind in kinds]
        if may_end:
            some.append(self._ends[~chosen[self._kinds[self._ends]]])
        return np.concatenate(some) if some else self._tokens[:0]

    @cached_property
    def _ends(self) -> Ids:
        asked = ggml("llama_vocab_is_eog", ctypes.c_bool, ctypes.c_void_p, ctypes.c_int32)
        told = map(asked, repeat(self._vocab), range(self._n_vocab))
        return np.flatnonzero(np.fromiter(told, np.bool_, self._n_vocab))


def _beginnings(
    vocab: int, n_vocab: int, piece: Callable[[int], bytes]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Length, first and second byte of each token's text."""
    number, flag, pointer = ctypes.c_int32, ctypes.c_bool, ctypes.c_void_p
    read = ggml("llama_token_to_piece", number, pointer, number, pointer, number, number, flag)
    texts = np.zeros((n_vocab, _ROOM), dtype=np.uint8)
    start = texts.ctypes.data
    places = range(start, start + n_vocab * _ROOM, _ROOM)
    got = map(
        read, repeat(vocab), range(n_vocab), places, repeat(_ROOM), repeat(0), repeat(object=True)
    )
    lengths = np.fromiter(got, np.int32, n_vocab)
    for token in np.flatnonzero(lengths < 0).tolist():
        text = piece(token)
        lengths[token] = len(text)
        texts[token, :2] = tuple(text[:2])
    return lengths, texts[:, 0].copy(), texts[:, 1].copy()
