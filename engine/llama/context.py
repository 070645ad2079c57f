"""A llama.cpp context: the KV memory, the decode calls and the logits."""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.errors import UserError
from engine.llama.breakdown import memory_breakdown
from engine.llama.devices import cpu_device
from engine.llama.failures import context_failure, decode_failure
from engine.llama.library import api, ggml, log_sink
from engine.llama.outcome import Cancelled
from engine.llama.parameters import context_parameters
from engine.llama.threads import thread_counts
from engine.worker.protocol import ContextInfo, DeviceMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.abort import AbortFlag
    from engine.llama.model import Model
    from engine.llama.vocabulary import Tokens
    from engine.settings import EngineSettings

_ABORTED = 2

# As many as a batch has outputs at most.
_VIEWS_KEPT = 64


class Context:
    """Owns a `llama_context` and the one batch it is fed with. Lives on the engine's main thread.

    Attributes:
        handle: Address of the `llama_context`.
        n_ctx: Tokens it holds.
        n_batch: Most tokens of one `decode`.
        n_ubatch: Most tokens computed at once.
        is_pipelined: Whether a decode returns while several devices still work on it in turn.
        abort: Interrupts a running `decode` on the CPU; asked between decodes elsewhere.
    """

    def __init__(self, model: Model, settings: EngineSettings, abort: AbortFlag) -> None:
        """Make the context.

        Args:
            model: What it computes with.
            settings: How it is made.
            abort: The engine's flag.

        Raises:
            UserError: The settings do not go with the model, or memory is short.
        """
        native = api()
        self._native = native
        self._model = model
        self._settings = settings
        self.abort = abort
        threads, threads_batch = thread_counts(settings)
        parameters = context_parameters(settings, threads=threads, threads_batch=threads_batch)
        log_sink.mark()
        self.handle = native.llama_init_from_model(model.handle, parameters.struct) or 0
        if not self.handle:
            raise context_failure(log_sink.complaints(), settings.n_ctx or model.n_ctx_train)
        lines = [line.text for line in log_sink.lines()]
        self.flash_attn = _flash_attention(lines)
        self.is_pipelined = _scheduler_copies(lines) > 1
        self.n_ctx = int(native.llama_n_ctx(self.handle))
        self.n_batch = int(native.llama_n_batch(self.handle))
        self.n_ubatch = int(native.llama_n_ubatch(self.handle))
        self.n_vocab = int(native.llama_vocab_n_tokens(native.llama_model_get_vocab(model.handle)))
        self._batch = Batch(self.n_batch)
        self._decode = native.llama_decode
        # As an address: taking it from a pointer object costs more than the call.
        arguments = (ctypes.c_void_p, ctypes.c_int32)
        self._logits_address = ggml("llama_get_logits_ith", ctypes.c_void_p, *arguments)
        # Making a view costs as much as half a pass over the vocabulary; llama.cpp's memory stays
        # where it is from token to token.
        self._views: dict[int, npt.NDArray[np.float32]] = {}
        abort.install(self.handle)

    def close(self) -> None:
        """Free KV memory and compute buffers."""
        handle, self.handle = self.handle, 0
        if handle:
            self._native.llama_free(handle)

    def decode(
        self,
        tokens: Tokens | Sequence[int],
        position: int,
        *,
        outputs: int = 1,
    ) -> None:
        """Run tokens through the model, at rising positions.

        Args:
            tokens: At most `n_batch`.
            position: Where the first one stands.
            outputs: For how many of the last ones logits are wanted.

        Raises:
            Cancelled: `abort` was raised meanwhile; whole micro-batches before it may stay.
            UserError: The decode failed.
        """
        self.check(self._decode(self.handle, self._batch.filled(tokens, position, outputs)))

    def check(self, status: int) -> None:
        """Raise what a status of `llama_decode` says, as `decode` does."""
        if status == _ABORTED:
            raise Cancelled
        if status:
            raise decode_failure(status, log_sink.complaints())

    def synchronize(self) -> None:
        """Wait until all decodes are computed."""
        self._native.llama_synchronize(self.handle)

    def logits(self, output: int = -1) -> npt.NDArray[np.float32]:
        """The logits of one output of the last decode: a view of llama.cpp's own memory.

        Args:
            output: Index of the token in the batch; -1 for the last.

        Raises:
            UserError: There are none.
        """
        address = self._logits_address(self.handle, output)
        if not address:
            raise UserError("engine.no_logits", detail=f"output {output}")
        view = self._views.get(address)
        if view is None:
            if len(self._views) >= _VIEWS_KEPT:
                self._views.clear()
            row = (ctypes.c_float * self.n_vocab).from_address(address)
            view = self._views[address] = np.ctypeslib.as_array(row)
        return view

    def set_threads(self, settings: EngineSettings) -> None:
        """Change the thread counts, which costs nothing."""
        self._settings = settings
        self._native.llama_set_n_threads(self.handle, *thread_counts(settings))

    def clear(self) -> None:
        """Forget everything in the KV memory."""
        self._native.llama_memory_clear(self._native.llama_get_memory(self.handle), True)

    def cut(self, length: int) -> bool:
        """Forget everything after `length` tokens; False when this memory cannot."""
        memory = self._native.llama_get_memory(self.handle)
        if self._native.llama_memory_seq_pos_max(memory, 0) + 1 < length:
            return False
        return bool(self._native.llama_memory_seq_rm(memory, 0, length, -1))

    def warm_up(self, token: int) -> None:
        """Touch every weight once, so that the first prompt is as fast as the second."""
        native = self._native
        native.llama_set_warmup(self.handle, True)
        try:
            self.decode([token], 0, outputs=1)
            self.synchronize()
        finally:
            native.llama_set_warmup(self.handle, False)
            self.clear()
            native.llama_perf_context_reset(self.handle)

    def info(self) -> ContextInfo:
        """What was really made."""
        settings, native = self._settings, self._native
        infos = tuple(device.info for device in self._model.devices)
        return ContextInfo(
            n_ctx=self.n_ctx,
            n_batch=self.n_batch,
            n_ubatch=self.n_ubatch,
            type_k=settings.type_k,
            type_v=settings.type_v,
            flash_attn=self.flash_attn,
            n_threads=int(native.llama_n_threads(self.handle)),
            n_threads_batch=int(native.llama_n_threads_batch(self.handle)),
            split_mode=settings.split_mode if len(infos) > 1 else "none",
            devices=infos or (cpu_device().info,),
            memory=self._memory(),
        )

    def _memory(self) -> tuple[DeviceMemory, ...]:
        ids = {device.info.name: device.info.id for device in self._model.devices}
        return tuple(
            DeviceMemory(
                name=row.device_name or row.buffer,
                id="cpu" if row.is_host else ids.get(row.device_name or "", row.buffer),
                weights_bytes=row.weights_bytes,
                kv_bytes=row.kv_bytes,
                compute_bytes=row.compute_bytes,
            )
            for row in memory_breakdown(self.handle)
        )


class Batch:
    """The arrays of a `llama_batch`, filled again for each decode. All of it is sequence 0."""

    def __init__(self, size: int) -> None:
        self._tokens = np.zeros(size, dtype=np.int32)
        self._positions = np.zeros(size, dtype=np.int32)
        self._wanted = np.zeros(size, dtype=np.int8)
        native = api()
        self._native: ctypes.Structure = native.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(ctypes.POINTER(native.llama_token)),
            pos=self._positions.ctypes.data_as(ctypes.POINTER(native.llama_pos)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def filled(
        self, tokens: Tokens | Sequence[int], position: int, outputs: int
    ) -> ctypes.Structure:
        """The batch with these tokens; logits are wanted for the last `outputs` of them."""
        count = len(tokens)
        self._native.n_tokens = count
        if count == 1:
            self._tokens[0] = tokens[0]
            self._positions[0] = position
            self._wanted[0] = outputs > 0
        else:
            self._tokens[:count] = tokens
            self._positions[:count] = np.arange(position, position + count, dtype=np.int32)
            self._wanted[:count] = 0
            self._wanted[count - outputs : count] = 1
        return self._native


# "flash_attn = enabled" where it was decided before, else what a trial graph came to.
_FLASH_ATTENTION = re.compile(r"(?:flash_attn\s*= |Flash Attention )(enabled|disabled)")
_FLASH_ATTENTION_LACKING = re.compile(r"Flash Attention not supported")
# How many micro-batches devices may work on at a time; the last word is what was really made.
_SCHEDULER_COPIES = re.compile(r"sched copies = (\d+)")


def _flash_attention(lines: Sequence[str]) -> bool | None:
    """Whether a new context uses flash attention; only its log tells."""
    for line in lines:
        found = _FLASH_ATTENTION.search(line)
        if found:
            return found.group(1) == "enabled"
        if _FLASH_ATTENTION_LACKING.search(line):
            return False
    return None


def _scheduler_copies(lines: Sequence[str]) -> int:
    found = [int(copies) for line in lines for copies in _SCHEDULER_COPIES.findall(line)]
    return found[-1] if found else 1
