"""Writes a model of a well-known shape with random Q4_0 weights and no vocabulary.

Speed does not depend on what the weights are, so a machine without a network measures with these:
``random_model.py OUT SHAPE``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import gguf
import numpy as np

_BLOCK, _BLOCK_BYTES = 32, 18
_POOL_BYTES = _BLOCK_BYTES * 2_000_003


@dataclass(frozen=True)
class Shape:
    """The sizes of a model of the Llama family."""

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int


SHAPES = {
    "8b": Shape(32, 4096, 14336, 32, 8, 128, 128_256),
    "2.4b": Shape(6, 4096, 14336, 32, 8, 128, 128_256),
    "135m": Shape(30, 576, 1536, 9, 3, 64, 49_152),
    "270m": Shape(18, 640, 2048, 4, 1, 256, 262_144),
}


class Weights:
    """Random Q4_0 blocks, cut from one pool: making new ones for each tensor takes minutes."""

    def __init__(self, writer: gguf.GGUFWriter) -> None:
        random = np.random.default_rng(0)
        blocks = random.integers(0, 256, (_POOL_BYTES // _BLOCK_BYTES, _BLOCK_BYTES), np.uint8)
        # The scale leads each block: small enough that activations stay finite.
        blocks[:, :2] = np.array([0.00125], dtype=np.float16).view(np.uint8)
        self._pool = blocks.reshape(-1)
        self._writer = writer

    def matrix(self, name: str, rows: int, columns: int) -> None:
        """Add a matrix."""
        size = rows * columns // _BLOCK * _BLOCK_BYTES
        data = np.resize(self._pool, size).reshape(rows, -1)
        kind = gguf.GGMLQuantizationType.Q4_0
        self._writer.add_tensor(f"{name}.weight", data, raw_dtype=kind)

    def norm(self, name: str, size: int) -> None:
        """Add a norm that changes nothing."""
        self._writer.add_tensor(f"{name}.weight", np.ones(size, dtype=np.float32))


def write(path: str, name: str) -> None:
    """Write a model."""
    shape = SHAPES[name]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"random {name}")
    writer.add_context_length(131_072)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_tokenizer_model("no_vocab")
    _add_tensors(Weights(writer), shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensors(weights: Weights, shape: Shape) -> None:
    wide, queries, keys = shape.embedding, shape.heads * shape.head, shape.kv_heads * shape.head
    weights.matrix("token_embd", shape.vocabulary, wide)
    weights.matrix("output", shape.vocabulary, wide)
    weights.norm("output_norm", wide)
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        weights.norm(f"{block}.attn_norm", wide)
        weights.norm(f"{block}.ffn_norm", wide)
        weights.matrix(f"{block}.attn_q", queries, wide)
        weights.matrix(f"{block}.attn_k", keys, wide)
        weights.matrix(f"{block}.attn_v", keys, wide)
        weights.matrix(f"{block}.attn_output", wide, queries)
        weights.matrix(f"{block}.ffn_gate", shape.feed_forward, wide)
        weights.matrix(f"{block}.ffn_up", shape.feed_forward, wide)
        weights.matrix(f"{block}.ffn_down", wide, shape.feed_forward)


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
