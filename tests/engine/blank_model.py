"""A tiny model with random weights and no vocabulary, as files made to measure speed are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_EMBEDDING, _FEED_FORWARD, _HEADS, _HEAD = 64, 128, 2, 32
N_VOCAB = 320


def write_blank_model(path: Path, layers: int = 1) -> Path:
    """Write it, in F32."""
    random = np.random.default_rng(3)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("blank")
    writer.add_context_length(4096)
    writer.add_embedding_length(_EMBEDDING)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_vocab_size(N_VOCAB)
    writer.add_tokenizer_model("no_vocab")

    def matrix(name: str, rows: int, columns: int) -> None:
        values = random.standard_normal((rows, columns), dtype=np.float32) / columns**0.5
        writer.add_tensor(f"{name}.weight", values)

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(_EMBEDDING, dtype=np.float32))

    matrix("token_embd", N_VOCAB, _EMBEDDING)
    matrix("output", N_VOCAB, _EMBEDDING)
    norm("output_norm")
    for layer in range(layers):
        block = f"blk.{layer}"
        norm(f"{block}.attn_norm")
        norm(f"{block}.ffn_norm")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{block}.{part}", _EMBEDDING, _EMBEDDING)
        for part in ("ffn_gate", "ffn_up"):
            matrix(f"{block}.{part}", _FEED_FORWARD, _EMBEDDING)
        matrix(f"{block}.ffn_down", _EMBEDDING, _FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
