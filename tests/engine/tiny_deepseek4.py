"""A tiny DeepSeek V4 with random weights: the zoo has none, and its memory is like no other.

Layers of all three kinds: a window alone, a window with every 4 tokens compressed into a row and an
indexer that chooses among these, a window with every 128 tokens compressed into one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

from tests.engine.random_zoo import random_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VOCAB = 128
_EMBED, _FEED, _EXPERTS = 128, 64, 2
_HEADS, _HEAD, _QUERY_RANK = 4, 32, 32
_GROUPS, _OUTPUT_RANK = 4, 16
# llama.cpp has indexer kernels for 64 heads alone.
_INDEXER_HEADS, _INDEXER_HEAD = 64, 128
_STREAMS = 4
_WINDOW = 32
_RATIOS = (0, 4, 128)

Shape = tuple[int, ...]


def write_deepseek4(path: Path, *, seed: int = 7) -> Path:
    """Write it, in F32."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "deepseek4")
    _header(writer)
    for name, shape in _tensors():
        # llama.cpp lists the fastest dimension first.
        writer.add_tensor(name, random_values(name, tuple(reversed(shape)), random))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _header(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny")
    writer.add_context_length(65536)
    writer.add_embedding_length(_EMBED)
    writer.add_block_count(len(_RATIOS))
    writer.add_feed_forward_length(_FEED)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_rope_dimension_count(_HEAD // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_sliding_window(_WINDOW)
    writer.add_vocab_size(_VOCAB)
    writer.add_tokenizer_model("no_vocab")
    for key, count in {
        "attention.q_lora_rank": _QUERY_RANK,
        "attention.indexer.head_count": _INDEXER_HEADS,
        "attention.indexer.key_length": _INDEXER_HEAD,
        "attention.indexer.top_k": 64,
        "attention.output_group_count": _GROUPS,
        "attention.output_lora_rank": _OUTPUT_RANK,
        "hyper_connection.count": _STREAMS,
        "hyper_connection.sinkhorn_iterations": 2,
        "hash_layer_count": 0,
        "expert_count": _EXPERTS,
        "expert_used_count": _EXPERTS,
        "expert_shared_count": 1,
        "expert_feed_forward_length": _FEED,
        # Square root of softplus, the only one it knows.
        "expert_gating_func": 4,
    }.items():
        writer.add_uint32(f"deepseek4.{key}", count)
    for key, number in {
        "attention.compress_rope_freq_base": 160_000.0,
        "hyper_connection.epsilon": 1e-6,
        "swiglu_clamp_exp": 10.0,
        "expert_weights_scale": 1.0,
    }.items():
        writer.add_float32(f"deepseek4.{key}", number)
    writer.add_bool("deepseek4.expert_weights_norm", True)
    writer.add_array("deepseek4.attention.compress_ratios", _RATIOS)


def _tensors() -> Iterator[tuple[str, Shape]]:
    yield "token_embd.weight", (_EMBED, _VOCAB)
    yield "output_norm.weight", (_EMBED,)
    yield "output.weight", (_EMBED, _VOCAB)
    yield "output_hc_fn.weight", (_STREAMS * _EMBED, _STREAMS)
    yield "output_hc_base.weight", (_STREAMS,)
    yield "output_hc_scale.weight", (1,)
    for layer, ratio in enumerate(_RATIOS):
        for name, shape in (*_attention(), *_compressor(ratio), *_feed_forward()):
            yield f"blk.{layer}.{name}", shape


def _attention() -> Iterator[tuple[str, Shape]]:
    yield "attn_norm.weight", (_EMBED,)
    yield "attn_sinks.weight", (_HEADS,)
    yield "attn_q_a.weight", (_EMBED, _QUERY_RANK)
    yield "attn_q_a_norm.weight", (_QUERY_RANK,)
    yield "attn_q_b.weight", (_QUERY_RANK, _HEADS * _HEAD)
    yield "attn_kv.weight", (_EMBED, _HEAD)
    yield "attn_kv_a_norm.weight", (_HEAD,)
    yield "attn_output_a.weight", (_HEADS * _HEAD // _GROUPS, _OUTPUT_RANK * _GROUPS)
    yield "attn_output_b.weight", (_GROUPS * _OUTPUT_RANK, _EMBED)
    yield from _connection("attn")


def _connection(part: str) -> Iterator[tuple[str, Shape]]:
    """What mixes the streams before and after a part of a layer."""
    mixes = (2 + _STREAMS) * _STREAMS
    yield f"hc_{part}_fn.weight", (_STREAMS * _EMBED, mixes)
    yield f"hc_{part}_base.weight", (mixes,)
    yield f"hc_{part}_scale.weight", (3,)


def _compressor(ratio: int) -> Iterator[tuple[str, Shape]]:
    if not ratio:
        return
    # Rows of 4 tokens overlap with the one before.
    halves = 2 if ratio == 4 else 1
    yield "attn_compressor_kv.weight", (_EMBED, halves * _HEAD)
    yield "attn_compressor_gate.weight", (_EMBED, halves * _HEAD)
    yield "attn_compressor_ape.weight", (halves * _HEAD, ratio)
    yield "attn_compressor_norm.weight", (_HEAD,)
    if ratio == 4:
        yield "indexer.proj.weight", (_EMBED, _INDEXER_HEADS)
        yield "indexer.attn_q_b.weight", (_QUERY_RANK, _INDEXER_HEADS * _INDEXER_HEAD)
        yield "indexer_compressor_kv.weight", (_EMBED, 2 * _INDEXER_HEAD)
        yield "indexer_compressor_gate.weight", (_EMBED, 2 * _INDEXER_HEAD)
        yield "indexer_compressor_ape.weight", (2 * _INDEXER_HEAD, ratio)
        yield "indexer_compressor_norm.weight", (_INDEXER_HEAD,)


def _feed_forward() -> Iterator[tuple[str, Shape]]:
    yield from _connection("ffn")
    yield "ffn_norm.weight", (_EMBED,)
    yield "ffn_gate_inp.weight", (_EMBED, _EXPERTS)
    yield "exp_probs_b.bias", (_EXPERTS,)
    for part in ("gate", "up"):
        yield f"ffn_{part}_exps.weight", (_EMBED, _FEED, _EXPERTS)
        yield f"ffn_{part}_shexp.weight", (_EMBED, _FEED)
    yield "ffn_down_exps.weight", (_FEED, _EMBED, _EXPERTS)
    yield "ffn_down_shexp.weight", (_FEED, _EMBED)
