"""An embedding model and its context: texts in, vectors of length one out.

Several short texts share one decode, each a sequence of its own. Models of the BERT kind see all of
a text at once, so a text never spans two decodes.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import UserError
from engine.llama.failures import context_failure, decode_failure
from engine.llama.library import api, log_sink
from engine.llama.model import Model
from engine.llama.parameters import Parameters
from engine.llama.threads import default_threads
from engine.llama.vocabulary import Vocabulary
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.llama.vocabulary import Tokens

_TEXT_TOKENS = 1024
"""The longest text that is read whole, where the model can read that much: a chunk has fewer."""
_BATCH_TOKENS = 512
"""Tokens of a decode: with more, each looks at more others; with fewer, cores are idle."""
_SEQUENCES = 32


class EmbeddingModel:
    """Owns a model and a context for embeddings, on the CPU. For one thread.

    Attributes:
        path: The file it was loaded from.
        width: Numbers in a vector.
    """

    def __init__(self, path: str, *, n_threads: int = 0) -> None:
        """Load the file.

        Raises:
            UserError: It cannot be loaded, or gives no vectors.
        """
        settings = EngineSettings(model_path=path, n_gpu_layers=0)
        native = self._native = api()
        self.path = path
        self._model = Model(settings, (), lambda _phase, _fraction, _bytes: True)
        self._vocabulary = Vocabulary(self._model.handle)
        self._text_tokens = min(self._model.n_ctx_train or _TEXT_TOKENS, _TEXT_TOKENS)
        size = max(self._text_tokens, _BATCH_TOKENS)
        log_sink.mark()
        parameters = _context_parameters(size, n_threads or _half_of_the_cores())
        self._context = native.llama_init_from_model(self._model.handle, parameters.struct) or 0
        if not self._context:
            self._model.close()
            raise context_failure(log_sink.complaints(), size)
        self._batch = _Batch(size)
        self.width = int(native.llama_model_n_embd_out(self._model.handle))

    def close(self) -> None:
        """Free context and weights."""
        handle, self._context = self._context, 0
        if handle:
            self._native.llama_free(handle)
        self._model.close()

    def embed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """One row per text, and which texts were too long: their beginnings were embedded.

        Raises:
            UserError: The computation failed.
        """
        rows = np.zeros((len(texts), self.width), np.float32)
        tokens = [self._vocabulary.tokenize(t, special=False, add_bos=True) for t in texts]
        shortened = tuple(at for at, one in enumerate(tokens) if len(one) > self._text_tokens)
        tokens = [self._fitting(one) for one in tokens]
        # Texts of like length together fill the batches best.
        order = sorted(
            (at for at, one in enumerate(tokens) if len(one)), key=lambda at: -len(tokens[at])
        )
        for group in _groups(order, tokens, self._batch.size):
            self._decode([tokens[at] for at in group])
            for sequence, at in enumerate(group):
                rows[at] = self._pooled(sequence)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, lengths, out=rows, where=lengths > 0), shortened

    def _fitting(self, tokens: Tokens) -> Tokens:
        """At most as many tokens as the model reads; the last one ends the text for the model."""
        if len(tokens) <= self._text_tokens:
            return tokens
        return np.append(tokens[: self._text_tokens - 1], tokens[-1:])

    def _decode(self, texts: Sequence[Tokens]) -> None:
        native = self._native
        native.llama_memory_clear(native.llama_get_memory(self._context), True)
        code = native.llama_decode(self._context, self._batch.filled(texts))
        if code != 0:
            raise decode_failure(code, log_sink.complaints())

    def _pooled(self, sequence: int) -> NDArray[np.float32]:
        pointer = self._native.llama_get_embeddings_seq(self._context, sequence)
        if not pointer:
            raise UserError("embedding.no_vectors")
        return np.ctypeslib.as_array(pointer, (self.width,))


class _Batch:
    """The arrays of a `llama_batch` with a sequence per text; every token counts."""

    def __init__(self, size: int) -> None:
        native = api()
        self.size = size
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._counts = np.ones(size, np.int32)
        self._sequences = np.zeros(size, np.int32)
        self._wanted = np.ones(size, np.int8)
        first = self._sequences.ctypes.data
        step = self._sequences.itemsize
        self._addresses = np.arange(first, first + size * step, step).astype(np.uintp)
        int32 = ctypes.POINTER(ctypes.c_int32)
        self._struct: Any = native.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(ctypes.POINTER(native.llama_token)),
            pos=self._positions.ctypes.data_as(ctypes.POINTER(native.llama_pos)),
            n_seq_id=self._counts.ctypes.data_as(int32),
            seq_id=self._addresses.ctypes.data_as(ctypes.POINTER(int32)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def filled(self, texts: Sequence[Tokens]) -> Any:  # noqa: ANN401  a ctypes struct
        """The batch with these texts."""
        lengths = [len(text) for text in texts]
        count = sum(lengths)
        self._tokens[:count] = np.concatenate(texts)
        self._positions[:count] = np.concatenate([np.arange(length) for length in lengths])
        self._sequences[:count] = np.repeat(np.arange(len(texts)), lengths)
        self._struct.n_tokens = count
        return self._struct


def _half_of_the_cores() -> int:
    # The chat model computes at the same time, and threads that share a core wait for one another:
    # two models with all cores each were measured to be eight times as slow as with half of them.
    return max(1, default_threads().count // 2)


def _context_parameters(size: int, threads: int) -> Parameters:
    struct = api().llama_context_default_params()
    struct.n_ctx = struct.n_batch = struct.n_ubatch = size
    struct.n_seq_max = _SEQUENCES
    struct.n_outputs_max = struct.n_outputs_max_per_seq = size
    # One buffer for all sequences: a context of its own for each would be a 32nd as long.
    struct.kv_unified = True
    struct.n_threads = struct.n_threads_batch = threads
    struct.embeddings = True
    struct.pooling_type = api().LLAMA_POOLING_TYPE_UNSPECIFIED
    struct.attention_type = api().LLAMA_ATTENTION_TYPE_UNSPECIFIED
    return Parameters(struct)


def _groups(order: Sequence[int], tokens: Sequence[Tokens], size: int) -> Iterator[list[int]]:
    group: list[int] = []
    filled = 0
    for at in order:
        if group and (filled + len(tokens[at]) > size or len(group) == _SEQUENCES):
            yield group
            group, filled = [], 0
        group.append(at)
        filled += len(tokens[at])
    if group:
        yield group
