"""What a request would hold and how long until its first token, without asking the model."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from engine.llama.overflow import fit, reply_reserve
from engine.worker.protocol import Measured, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.llama.prompt import PromptLayout
    from engine.llama.reuse import KvLedger
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt

_MOST_SLICES = 64
# A shorter slice is mostly overhead and says little about the pace of a long one.
_SHORTEST_SLICE = 16
_LATEST_TOKENS = 2048
# Standard errors that a growth with depth has to exceed.
_ERRORS = 2.0


class PrefillPace:
    """How fast this context reads, learned from its own prefills. Thread-safe.

    Attention makes a token dearer the more stand before it, so the time of one is taken to grow
    evenly with its depth.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Tokens, seconds, and the depth of the middle of each slice.
        self._slices: deque[tuple[int, float, float]] = deque(maxlen=_MOST_SLICES)

    def note(self, tokens: int, seconds: float, *, depth: int) -> None:
        """A slice of `tokens` was read in `seconds`, with `depth` tokens before it."""
        if tokens >= _SHORTEST_SLICE and seconds > 0:
            with self._lock:
                self._slices.append((tokens, seconds, depth + tokens / 2))

    def tokens_per_second(self) -> float | None:
        """The latest speed; None until something was read."""
        tokens, seconds = 0, 0.0
        with self._lock:
            for slice_tokens, slice_seconds, _ in reversed(self._slices):
                tokens += slice_tokens
                seconds += slice_seconds
                if tokens >= _LATEST_TOKENS:
                    break
        return tokens / seconds if seconds else None

    def seconds_for(self, tokens: int, *, depth: int) -> float | None:
        """How long reading `tokens` more after `depth` will take; None when not known yet."""
        with self._lock:
            slices = np.array(self._slices, dtype=float)
        if not len(slices):
            return None
        base, growth = _fitted(slices[:, 0], slices[:, 1], slices[:, 2])
        return float(tokens * (base + growth * (depth + tokens / 2)))


def _fitted(
    tokens: np.ndarray[tuple[int], np.dtype[np.float64]],
    seconds: np.ndarray[tuple[int], np.dtype[np.float64]],
    depths: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[float, float]:
    """Seconds of a token at depth 0, and what each token before it adds. Neither is negative."""
    each = seconds / tokens
    mean_depth, mean_each = np.average(depths, weights=tokens), seconds.sum() / tokens.sum()
    spread = np.average((depths - mean_depth) ** 2, weights=tokens)
    if spread == 0:
        return float(mean_each), 0.0
    together = np.average((depths - mean_depth) * (each - mean_each), weights=tokens)
    growth = together / spread
    # A few short readings of a busy machine differ by chance, and a chance taken for growth would
    # make hours of a long prompt: only what is beyond doubt counts.
    rest = each - mean_each - growth * (depths - mean_depth)
    others = len(each) - 2
    doubt = np.sqrt(np.average(rest**2, weights=tokens) / (others * spread)) if others else growth
    growth -= _ERRORS * doubt
    # Not steeper than a line through the origin: a token never costs less than nothing.
    growth = min(max(growth, 0.0), mean_each / mean_depth)
    return float(mean_each - growth * mean_depth), float(growth)


class PromptMeasure:
    """Answers `Measure` on any thread while a reply is written.

    Args:
        layout: Lays out the model's prompts.
        ledger: What the context holds; only asked, never changed.
        pace: How fast the context reads.
        n_ctx: Its size.
    """

    def __init__(
        self, layout: PromptLayout, ledger: KvLedger, pace: PrefillPace, *, n_ctx: int
    ) -> None:
        self._layout = layout
        self._ledger = ledger
        self._pace = pace
        self._n_ctx = n_ctx

    def measure(self, request_id: int, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Segments in prompt order with cached counts, then the reply's reserve and what is free.

        Raises:
            UserError: As `PromptLayout.lay_out`.
        """
        fitted = fit(self._layout, prompt, generation, self._n_ctx)
        laid_out = fitted.laid_out
        total = len(laid_out.tokens)
        cached, reason = self._ledger.expected(prompt.chat_id, laid_out.tokens)
        left = max(0, self._n_ctx - total)
        kept_free = reply_reserve(self._n_ctx, generation.max_tokens)
        reserve = min(left, kept_free)
        room = (
            Segment(kind="reply_reserve", label="Reply", tokens=reserve),
            Segment(kind="free", label="Free", tokens=left - reserve),
        )
        return Measured(
            request_id=request_id,
            segments=(
                *with_cached(laid_out.segments, cached),
                *(segment for segment in room if segment.tokens),
            ),
            prompt_tokens=total,
            cached_tokens=cached,
            read_reason=reason,
            n_ctx=self._n_ctx,
            left_out=fitted.left_out,
            reply_reserve=kept_free,
            prefill_tokens_per_second=self._pace.tokens_per_second(),
            seconds_to_first_token=self._pace.seconds_for(total - cached, depth=cached),
        )


def with_cached(segments: Iterable[Segment], cached: int) -> tuple[Segment, ...]:
    """The same segments with the first `cached` tokens counted as cached."""
    counted: list[Segment] = []
    for segment in segments:
        counted.append(replace(segment, cached=min(segment.tokens, cached)))
        cached -= counted[-1].cached
    return tuple(counted)
