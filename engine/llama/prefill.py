"""Reads a prompt in slices: as large as speed asks for, as short as a cancel allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.outcome import Cancelled
from engine.worker.protocol import PrefillProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.llama.context import Context
    from engine.llama.measure import PrefillPace
    from engine.llama.reuse import KvLedger, Reuse
    from engine.llama.vocabulary import Tokens

_SLICE_S = 0.2
# A GPU reads half a micro-batch in more than half the time. So a slice is a whole one at least,
# unless that would make a cancel wait longer than this.
_LONGEST_S = 1.0
# On the CPU a decode can be stopped inside, so its slices need only be short enough for progress;
# whole micro-batches read up to three times as fast there.
_SLICE_CPU_S = 1.0
_LONGEST_CPU_S = 2.0
_PROGRESS_S = 0.1
# Slices of this size cost about 2 % against whole micro-batches on a CPU; half of it costs 8 %.
_SMALLEST_CPU = 128
_SMALLEST_GPU = 32
_FIRST_GPU = 256
# A single slice that was held up by something else must not upset the size.
_STEP = 4


class SliceControl:
    """How many tokens to hand over at once, by how long the last ones took. One per context."""

    def __init__(self, n_batch: int, n_ubatch: int, *, on_cpu: bool) -> None:
        """Args: sizes of batch and micro-batch; on the CPU a running slice can be aborted."""
        self._batch = n_batch
        self._micro = n_ubatch
        self._smallest = min(n_ubatch, _SMALLEST_CPU if on_cpu else _SMALLEST_GPU)
        self._usual_s = _SLICE_CPU_S if on_cpu else _SLICE_S
        self._longest_s = _LONGEST_CPU_S if on_cpu else _LONGEST_S
        self._tokens_per_second = (n_ubatch if on_cpu else _FIRST_GPU) / self._usual_s

    @property
    def tokens(self) -> int:
        """Size of the next slice."""
        whole = int(self._tokens_per_second * self._usual_s) // self._micro * self._micro
        if whole:
            return min(self._batch, whole)
        longest = int(self._tokens_per_second * self._longest_s)
        if longest >= self._micro:
            return self._micro
        return max(self._smallest, longest // self._smallest * self._smallest)

    def note(self, tokens: int, seconds: float) -> None:
        """A slice took so long."""
        if tokens * 2 < self._smallest:
            # Mostly overhead: says nothing about longer ones.
            return
        before, seen = self._tokens_per_second, tokens / max(seconds, 1e-6)
        within = min(max(seen, before / _STEP), before * _STEP)
        # What is beyond the largest slice, or below the smallest, would only be slow to forget.
        least, most = self._smallest / self._longest_s, self._batch / self._usual_s
        self._tokens_per_second = min(max(within, least), most)


class Prefill:
    """One prompt being read. Used once, on the engine's main thread.

    Attributes:
        seconds: Time spent reading, in all.
    """

    def __init__(
        self,
        context: Context,
        ledger: KvLedger,
        pace: PrefillPace,
        slices: SliceControl,
        *,
        emit: Callable[[PrefillProgress], None],
        request_id: int,
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._pace = pace
        self._slices = slices
        self._emit = emit
        self._request_id = request_id
        self._told_at = 0.0
        self._is_paced = False
        self.seconds = 0.0

    def read(self, tokens: Tokens, reuse: Reuse) -> None:
        """Decode everything that is not in the memory yet; logits are there for the last token.

        Raises:
            Cancelled: In between or within a slice; what was read stays known to the ledger.
            UserError: A decode failed.
        """
        start = position = reuse.kept
        total = len(tokens)
        began = time.perf_counter()
        self._tell(position, total, reuse)
        try:
            while position < total:
                self._context.abort.check()
                count = self._ledger.slice_tokens(min(self._slices.tokens, total - position))
                part = tokens[position : position + count]
                is_first, is_last = position == start, position + count == total
                self._read_slice(part, position, is_first=is_first, is_last=is_last)
                position += count
                self.seconds = time.perf_counter() - began
                self._tell(position, total, reuse)
        finally:
            self.seconds = time.perf_counter() - began
        if not self._is_paced:
            self._pace.note(total - start, self.seconds, depth=start)

    def _read_slice(self, tokens: Tokens, position: int, *, is_first: bool, is_last: bool) -> None:
        began = time.perf_counter()
        # To wait for each slice would empty the pipeline: devices work on several in turn.
        is_pipelined = self._context.is_pipelined
        try:
            self._context.decode(tokens, position, outputs=int(is_last))
            if is_last or not is_pipelined:
                self._context.synchronize()
        except (Cancelled, UserError):
            self._ledger.note_failed()
            raise
        self._ledger.note_decoded(tokens)
        # There the first one is handed over before it is read, and the last waits for others too.
        if not is_pipelined or is_first == is_last:
            seconds = time.perf_counter() - began
            self._slices.note(len(tokens), seconds)
            self._pace.note(len(tokens), seconds, depth=position)
            self._is_paced = True

    def _tell(self, done: int, total: int, reuse: Reuse) -> None:
        now = time.perf_counter()
        if 0 < done < total and now - self._told_at < _PROGRESS_S and self._told_at:
            return
        self._told_at = now
        pace = self._pace.tokens_per_second()
        self._emit(
            PrefillProgress(
                request_id=self._request_id,
                done=done,
                total=total,
                cached=reuse.kept,
                tokens_per_second=pace,
                seconds_left=self._pace.seconds_for(total - done, depth=done),
                read_reason=reuse.reason,
            )
        )
