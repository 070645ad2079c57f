"""A draw from the whole vocabulary, for settings that cut nothing off but set a temperature.

Some models are meant to be sampled so. llama.cpp's samplers would copy the vocabulary for each
token; the draw itself is a sum and a search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from engine.llama.sampling_window import Ids, Logits

_ROW = 512


class OpenDraw:
    """Draws tokens in proportion to e to the power of their logits over the temperature."""

    def __init__(self, temperature: float, seed: int) -> None:
        self._inverse = np.float32(1.0 / temperature)
        self._random = np.random.Generator(np.random.PCG64(seed))

    def draw(self, logits: Logits, ids: Ids, adjusted: Logits) -> int:
        """Draw a token.

        Args:
            logits: Of the whole vocabulary.
            ids: Tokens whose logits are others.
            adjusted: Their logits.
        """
        top = logits.max()
        if len(adjusted):
            top = max(top, adjusted.max())
        weights = np.exp((logits - top) * self._inverse)
        if len(ids):
            weights[ids] = np.exp((adjusted - top) * self._inverse)
        whole = len(weights) // _ROW * _ROW
        rows = weights[:whole].reshape(-1, _ROW).sum(axis=1, dtype=np.float64)
        running = np.cumsum(np.append(rows, weights[whole:].sum(dtype=np.float64)))
        target = self._random.random() * running[-1]
        row = min(int(np.searchsorted(running, target, side="right")), len(running) - 1)
        within = np.cumsum(weights[row * _ROW : (row + 1) * _ROW], dtype=np.float64)
        left = target - (running[row - 1] if row else 0.0)
        # Rounding may leave the target past the last token that can be drawn.
        place = int(np.searchsorted(within, min(left, np.nextafter(within[-1], 0.0)), side="right"))
        return row * _ROW + place
