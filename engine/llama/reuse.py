"""What the KV memory holds, and how much of a new prompt is already in it.

How to use it, on the one thread that decodes::

    reuse = ledger.prepare(chat_id, laid_out.tokens, laid_out.marks)
    position = reuse.kept
    while position < len(tokens):
        count = ledger.slice_tokens(n_batch)        # stops at positions worth a checkpoint
        decode(tokens[position : position + count], seq_id=reuse.seq_id, pos=position)
        ledger.note_decoded(tokens[position : position + count])
        position += count
    ... each written token: decode it, then note_decoded([token])
    on a decode that failed or was cut short: ledger.note_failed()

A memory of full attention can be cut anywhere. Sliding windows, recurrent states and compressed
caches cannot: for those, partial states are saved at the marks and the nearest one is put back.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.llama.library import api
from engine.llama.parking import Checkpoint, Checkpoints, Parked, ParkingLot, common_prefix
from engine.llama.reuse_choice import Held, Start, can_cut, marks_to_save, start_from
from engine.llama.reuse_memory import SEQUENCE, SequenceMemory, memory_class, window_slides

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.llama.vocabulary import Tokens
    from engine.worker.protocol import MemoryClass

# Reading fewer tokens than these again is cheaper than copying a state, or not worth a word. A slow
# processor reads some ten tokens a second.
_WORTH_PARKING = 32
_WORTH_PARKING_OWN = 1024
_WORTH_A_REASON = 256
_REASONS: dict[MemoryClass, str] = {
    "swa": "reuse.window",
    "recurrent": "reuse.recurrent",
    "hybrid": "reuse.recurrent",
    "compressed": "reuse.compressed",
}


@dataclass(frozen=True, slots=True)
class Reuse:
    """What `KvLedger.prepare` left in the memory.

    Attributes:
        kept: Tokens that need not be read; always fewer than the prompt has, because the last one
            is decoded again for its logits.
        reason: Code of why less is kept than the chat shares with its own past; else empty.
        restored: Whether a parked state was brought back.
        seq_id: Sequence to decode into.
    """

    kept: int
    reason: str = ""
    restored: bool = False
    seq_id: int = SEQUENCE


class KvLedger:
    """Owns what is in a context's memory. `expected` on any thread, all else where it decodes.

    Args:
        context: The llama.cpp context (n_seq_max 1); the ledger must go before it does.
        model: Its model.
        swa_full: As the context was made.
        budget_bytes: Host memory for parked chats and checkpoints.
    """

    def __init__(self, context: int, model: int, *, swa_full: bool, budget_bytes: int) -> None:
        llama = api()
        self._memory = SequenceMemory(context)
        self._class = memory_class(model)
        self._window = max(0, int(llama.llama_model_n_swa(model)))
        self._snapshots = int(llama.llama_n_rs_seq(context))
        self._cuts_anywhere = self._class == "attention" or (self._class == "swa" and swa_full)
        # What the next token sees, and the last one saw: the state can be cut by one.
        self._reaches_back = self._class == "swa" and window_slides(model)
        self._lot = ParkingLot(budget_bytes)
        # Guards what `expected` reads; never held while a state is copied.
        self._lock = threading.Lock()
        self._tokens: Tokens = np.empty(int(llama.llama_n_ctx(context)) + 1, dtype=np.int32)
        self._chat_id = ""
        self._is_passing = False
        self._length = 0
        # What stands behind was computed with tokens before it that are gone since.
        self._pure_length: int | None = None
        self._lowest = -1
        self._last_batch_start = 0
        self._checkpoints = Checkpoints()
        self._marks: list[int] = []
        self._prompt_length = 0

    # ---- before a reply -------------------------------------------------------------------------

    def prepare(
        self,
        chat_id: str,
        tokens: Tokens,
        marks: Iterable[int] = (),
        *,
        is_passing: bool = False,
    ) -> Reuse:
        """Leave the memory holding exactly ``tokens[:kept]``, whatever chat was in it before.

        What is read for a passing request is not parked when another one needs the place.
        """
        starts = self._starts(tokens)
        best = max(starts, key=lambda start: start.value(chat_id), default=None)
        wanted = best.usable if best else 0
        parked = best.held.parked if best and wanted else None
        self._leave(chat_id, 0 if parked else wanted)
        self._is_passing = is_passing
        restored = parked is not None and self._restore(parked, chat_id)
        kept = self._cut(wanted if restored or not parked else 0)
        with self._lock:
            self._chat_id = chat_id
        self._prompt_length = len(tokens)
        self._marks = [] if self._cuts_anywhere else self._marks_of(marks, kept)
        return Reuse(kept, self._reason(chat_id, tokens, kept, starts), restored and kept > 0)

    def _marks_of(self, marks: Iterable[int], kept: int) -> list[int]:
        return marks_to_save(marks, kept, self._prompt_length, reaches_back=self._reaches_back)

    def cached_prefix(self, chat_id: str, tokens: Tokens) -> int:
        """How many tokens `prepare` would keep now. Changes nothing; callable from any thread."""
        return self.expected(chat_id, tokens)[0]

    def expected(self, chat_id: str, tokens: Tokens) -> tuple[int, str]:
        """The same, and the code of why it is less than was read before; from any thread too."""
        starts = self._starts(tokens)
        best = max(starts, key=lambda start: start.value(chat_id), default=None)
        kept = best.usable if best else 0
        return kept, self._reason(chat_id, tokens, kept, starts)

    def _starts(self, tokens: Tokens) -> list[Start]:
        with self._lock:
            held = [Held.of(parked) for parked in self._lot.parked]
            if self._length:
                tokens_held = self._tokens[: self._length][: self._pure_length]
                checkpoints = tuple(self._checkpoints)
                held.append(Held(self._chat_id, tokens_held, self._lowest, checkpoints))
            return [start_from(each, tokens, self._window) for each in held]

    def _reason(self, chat_id: str, tokens: Tokens, kept: int, starts: Sequence[Start]) -> str:
        """Why less is kept than was read before; a word about another chat only if it matters."""
        limit = len(tokens) - 1
        for start in starts:
            noticed = 1 if start.held.chat_id == chat_id else _WORTH_A_REASON
            if min(start.common, limit) >= kept + noticed:
                as_promised = start.usable <= kept
                return _REASONS.get(self._class, "reuse.lost") if as_promised else "reuse.lost"
        evicted = self._lot.evicted.get(chat_id)
        if evicted is not None and min(common_prefix(evicted, tokens), limit) > kept:
            return "reuse.evicted"
        own = (start for start in starts if start.held.chat_id == chat_id)
        return "reuse.moved" if any(each.is_moved_in(tokens) for each in own) else ""

    # ---- while tokens are decoded ---------------------------------------------------------------

    def slice_tokens(self, wanted: int) -> int:
        """How many of the next `wanted` tokens to decode at once, at least 1."""
        if self._marks:
            return max(1, min(wanted, self._marks[0] - self._length))
        return wanted

    def note_decoded(self, tokens: Sequence[int] | Tokens) -> None:
        """These tokens were just decoded after the ones before."""
        start, end = self._length, self._length + len(tokens)
        lowest = 0 if self._class == "attention" else self._memory.lowest
        with self._lock:
            if end > len(self._tokens):
                self._tokens = np.resize(self._tokens, 2 * end)
            if end == start + 1:
                # While a reply is written each microsecond counts, and a slice takes ten.
                self._tokens[start] = tokens[0]
            else:
                self._tokens[start:end] = tokens
            self._length, self._last_batch_start, self._lowest = end, start, lowest
        while self._marks and self._marks[0] <= end:
            if self._marks.pop(0) == end:
                self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        state = self._memory.save(partial=True)
        if state is not None:
            # The state of a whole prompt is there to read its last token again: when it is loaded,
            # that one is cut off.
            is_whole = self._reaches_back and self._length == self._prompt_length
            with self._lock:
                room = self._lot.budget_bytes // 2
                self._checkpoints.add(Checkpoint(self._length - int(is_whole), state), room)
                self._lot.shrink(self._checkpoints.bytes)

    def can_roll_back(self, count: int) -> bool:
        """Whether `rollback` of so many tokens would work."""
        length = self._length - count
        if count <= 0 or length < 1:
            return count == 0
        if self._class in ("recurrent", "hybrid", "compressed"):
            # The snapshots are those of the last batch alone.
            return count <= self._snapshots and length >= self._last_batch_start
        return can_cut(self._lowest, length, self._window)

    def rollback(self, count: int) -> bool:
        """Take back the last tokens (a rejected draft). False, and nothing done, if impossible."""
        length = self._length - count
        if not self.can_roll_back(count) or not (count == 0 or self._memory.cut(length)):
            return False
        self._note_length(length)
        return True

    def shift(self, start: int, end: int) -> bool:
        """Take tokens out of the middle and move the rest up; False, and nothing done, if not.

        What follows is good for going on, but it has seen what is gone: no other prompt starts
        from it.
        """
        if not self._memory.shift(start, end):
            return False
        with self._lock:
            rest = self._tokens[end : self._length].copy()
            self._length -= end - start
            self._tokens[start : self._length] = rest
            self._last_batch_start = self._length
            pure = start if self._pure_length is None else self._pure_length
            self._pure_length = min(start, pure)
            self._checkpoints.cut(start)
        return True

    @property
    def held(self) -> Tokens:
        """The tokens in the memory, in order; a copy."""
        return self._tokens[: self._length].copy()

    def note_failed(self) -> None:
        """A decode failed or was aborted: make memory and ledger agree again."""
        length = self._length
        whole = self._class in ("attention", "swa")
        # A recurrent state may be half computed: only a saved one can be trusted.
        if whole and length and self._memory.cut(length):
            extent = self._memory.lowest, self._memory.highest
            if extent[1] == length - 1 and can_cut(extent[0], length, self._window):
                self._note_length(length)
                return
        self._load_checkpoint(length)

    # ---- chats ----------------------------------------------------------------------------------

    def forget(self, chat_id: str = "") -> None:
        """Drop a chat's state, resident or parked; all of them, and the memory, when empty."""
        with self._lock:
            if chat_id:
                self._lot.forget(chat_id)
            else:
                self._lot.forget_all()
        if chat_id in ("", self._chat_id):
            self._clear()
            self._chat_id = ""

    def set_budget(self, budget_bytes: int) -> None:
        """Change the host memory for parked chats, at once."""
        with self._lock:
            self._lot.budget_bytes = budget_bytes
            self._lot.shrink(self._checkpoints.bytes)

    @property
    def used(self) -> int:
        """Tokens in the memory now."""
        return self._length

    @property
    def parked_bytes(self) -> int:
        """Host memory that parked chats and checkpoints take."""
        with self._lock:
            return self._lot.bytes + self._checkpoints.bytes

    def _leave(self, next_chat: str, kept: int) -> None:
        """Park what is about to be cut off the memory, if it is worth it."""
        own = next_chat == self._chat_id
        worth = max(_WORTH_PARKING_OWN, kept) if own else _WORTH_PARKING
        if self._is_passing or self._pure_length is not None or self._is_parked():
            return
        if self._length - kept < worth:
            return
        tokens = self._tokens[: self._length].copy()
        state = self._memory.save(partial=False, most_bytes=self._lot.budget_bytes)
        # A saved state leaves out what has slid out of the window.
        lowest = max(self._lowest, self._length - self._window if self._window else 0)
        with self._lock:
            if state is None:
                self._lot.note_evicted(self._chat_id, tokens)
                return
            checkpoints = tuple(self._checkpoints)
            self._lot.park(Parked(self._chat_id, tokens, state, lowest, checkpoints))
            self._lot.shrink(reserved_bytes=0)

    def _is_parked(self) -> bool:
        held = self._tokens[: self._length]
        return any(common_prefix(old.tokens, held) == len(held) for old in self._lot.parked)

    def _restore(self, parked: Parked, chat_id: str) -> bool:
        self._clear()
        loaded = self._memory.load(parked.state, partial=False)
        if not loaded:
            self._clear()
        with self._lock:
            # The chat's own copy is of no more use: it will be parked anew, longer.
            self._lot.use(parked, keep=loaded and parked.chat_id != chat_id)
            if loaded:
                self._tokens[: len(parked.tokens)] = parked.tokens
                self._checkpoints = Checkpoints(parked.checkpoints)
        if loaded:
            self._note_length(len(parked.tokens))
        return loaded

    def _cut(self, length: int) -> int:
        """Cut the memory back to `length` tokens; gives what could be kept, which may be less."""
        if length == self._length:
            return length
        if length == 0:
            self._clear()
        elif can_cut(self._lowest, length, self._window) and self._memory.cut(length):
            self._note_length(length)
        else:
            self._load_checkpoint(length)
        return self._length

    def _load_checkpoint(self, limit: int) -> None:
        saved = self._checkpoints.best(limit)
        if (
            saved is not None
            and self._memory.load(saved.state, partial=True)
            # Now windows and states stand at the checkpoint; all the rest is cut to it.
            and self._memory.cut(saved.position)
        ):
            self._note_length(saved.position)
        else:
            self._clear()

    def _clear(self) -> None:
        self._memory.clear()
        self._note_length(0)

    def _note_length(self, length: int) -> None:
        lowest = self._memory.lowest
        with self._lock:
            self._length, self._lowest = length, lowest
            self._last_batch_start = length
            if self._pure_length is not None and length <= self._pure_length:
                self._pure_length = None
            self._checkpoints.cut(length)
