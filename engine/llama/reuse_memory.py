"""One sequence of a llama.cpp context's memory: its extent, cutting it, copying it out and back."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.llama.library import api

if TYPE_CHECKING:
    from engine.worker.protocol import MemoryClass

State: TypeAlias = npt.NDArray[np.uint8]

SEQUENCE = 0
_COMPRESSED = ("deepseek4",)
# Their windows are chunks, each of which begins empty.
_CHUNKED = ("llama4",)


def memory_class(model: int) -> MemoryClass:
    """Which kind of memory a model's context has; decides how a prefix can be kept."""
    llama = api()
    if not llama.llama_model_has_decoder(model):
        return "none"
    if llama.llama_model_is_recurrent(model):
        return "recurrent"
    # llama.cpp calls these hybrid as well.
    if _architecture(llama, model) in _COMPRESSED:
        return "compressed"
    if llama.llama_model_is_hybrid(model):
        return "hybrid"
    return "swa" if llama.llama_model_n_swa(model) > 0 else "attention"


def window_slides(model: int) -> bool:
    """Whether a model has a window that moves by one position with each token."""
    llama = api()
    return llama.llama_model_n_swa(model) > 0 and _architecture(llama, model) not in _CHUNKED


def _architecture(llama: Any, model: int) -> str:  # noqa: ANN401
    buffer = ctypes.create_string_buffer(128)
    llama.llama_model_meta_val_str(model, b"general.architecture", buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace")


class SequenceMemory:
    """The memory of sequence 0 of a context that has no other. Decoding thread only.

    A *partial* state leaves out what can be cut at any position (the KV of full attention) and
    holds the rest: sliding windows and recurrent states. It is small, and makes a whole memory only
    together with the KV that is still there.
    """

    def __init__(self, context: int) -> None:
        self._llama = api()
        self._context = context
        self._memory = self._llama.llama_get_memory(context)

    @property
    def lowest(self) -> int:
        """First position that is still held; -1 when empty. A recurrent state has only its last."""
        return int(self._llama.llama_memory_seq_pos_min(self._memory, SEQUENCE))

    @property
    def highest(self) -> int:
        """Last position held; -1 when empty."""
        return int(self._llama.llama_memory_seq_pos_max(self._memory, SEQUENCE))

    def cut(self, length: int) -> bool:
        """Remove positions from `length` on; False when this memory cannot."""
        return bool(self._llama.llama_memory_seq_rm(self._memory, SEQUENCE, length, -1))

    def shift(self, start: int, end: int) -> bool:
        """Remove positions from `start` to `end` and move what follows up; False when it cannot.

        Only for memories that `engine.llama.rolling.can_shift`.
        """
        if not self._llama.llama_memory_seq_rm(self._memory, SEQUENCE, start, end):
            return False
        self._llama.llama_memory_seq_add(self._memory, SEQUENCE, end, -1, start - end)
        return True

    def clear(self) -> None:
        """Remove everything; the buffers' bytes stay, as nothing can see them."""
        self._llama.llama_memory_clear(self._memory, False)

    def save(self, *, partial: bool, most_bytes: int | None = None) -> State | None:
        """A copy of the state in host memory; None when it is too large or could not be had."""
        flags = self._flags(partial)
        size = self._llama.llama_state_seq_get_size_ext(self._context, SEQUENCE, flags)
        if size == 0 or (most_bytes is not None and size > most_bytes):
            return None
        try:
            state: State = np.empty(size, dtype=np.uint8)
        except MemoryError:
            return None
        written = self._llama.llama_state_seq_get_data_ext(
            self._context, _pointer(state), size, SEQUENCE, flags
        )
        return state if written == size else None

    def load(self, state: State, *, partial: bool) -> bool:
        """Put a saved state back in place of what is there; False leaves the memory undefined."""
        read = self._llama.llama_state_seq_set_data_ext(
            self._context, _pointer(state), len(state), SEQUENCE, self._flags(partial)
        )
        return bool(read == len(state))

    def _flags(self, partial: bool) -> int:
        return int(self._llama.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY) if partial else 0


def _pointer(state: State) -> Any:  # noqa: ANN401
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
