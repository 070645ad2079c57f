"""Reads prompts through a `KvLedger` with the bare llama.cpp calls, and gives their logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from engine.llama.library import api
from engine.llama.reuse import KvLedger, Reuse

if TYPE_CHECKING:
    from pathlib import Path

Logits = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int32]

# Of ggml, for K and V alike.
F32, F16, Q8_0 = 0, 1, 8
N_BATCH = 96
N_UBATCH = 32
MIB = 1 << 20


class BareModel:
    """A loaded model; contexts with one type of KV are made from it."""

    def __init__(self, path: Path, *, kv_type: int = F32) -> None:
        llama = api()
        parameters = llama.llama_model_default_params()
        self.handle = llama.llama_model_load_from_file(str(path).encode(), parameters)
        assert self.handle, path
        self.kv_type = kv_type
        self.n_vocab: int = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        api().llama_model_free(self.handle)

    def random_tokens(self, count: int, seed: int) -> Tokens:
        random = np.random.default_rng(seed)
        return random.integers(0, self.n_vocab, count).astype(np.int32)

    def fresh_logits(self, tokens: Tokens) -> Logits:
        """Logits after a prompt that is read from the beginning, without a ledger."""
        with Reader(self, n_ctx=len(tokens)) as reader:
            reader.decode(tokens, 0)
            return reader.logits()


class Reader:
    """One context with its ledger."""

    def __init__(self, model: BareModel, *, n_ctx: int = 1024, budget: int = 256 * MIB) -> None:
        llama = api()
        self.model = model
        parameters = llama.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = n_ctx, N_BATCH, N_UBATCH
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.n_seq_max, parameters.swa_full = 1, False
        # Full precision, so that noise is small. A quantized V needs flash attention.
        parameters.flash_attn_type = int(model.kv_type != F32)
        parameters.type_k = parameters.type_v = model.kv_type
        self.context = llama.llama_init_from_model(model.handle, parameters)
        assert self.context
        self.ledger = KvLedger(self.context, model.handle, swa_full=False, budget_bytes=budget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        api().llama_free(self.context)

    def read(self, chat_id: str, tokens: Tokens, marks: tuple[int, ...] = ()) -> Reuse:
        """Read a prompt as the engine does."""
        reuse = self.ledger.prepare(chat_id, tokens, marks)
        position = reuse.kept
        while position < len(tokens):
            count = self.ledger.slice_tokens(min(N_BATCH, len(tokens) - position))
            self.decode(tokens[position : position + count], position)
            self.ledger.note_decoded(tokens[position : position + count])
            position += count
        return reuse

    def write(self, tokens: Tokens) -> None:
        """Decode tokens one by one, as a reply."""
        for token in tokens:
            self.decode(np.array([token], dtype=np.int32), self.ledger.used)
            self.ledger.note_decoded((int(token),))

    def decode(self, tokens: Tokens, position: int) -> None:
        for start in range(0, len(tokens), N_BATCH):
            self._decode_batch(tokens[start : start + N_BATCH], position + start)

    def _decode_batch(self, tokens: Tokens, position: int) -> None:
        llama = api()
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index] = int(token)
            batch.pos[index] = position + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = int(index == len(tokens) - 1)
        result = llama.llama_decode(self.context, batch)
        llama.llama_batch_free(batch)
        assert result == 0, result

    def logits(self) -> Logits:
        """Logits after the last token decoded."""
        pointer = api().llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.model.n_vocab,)).copy()


def difference(one: Logits, other: Logits) -> float:
    """The largest difference, in units of the logits' spread."""
    assert np.isfinite(one).all()
    assert np.isfinite(other).all()
    return float(np.abs(one - other).max() / other.std())
