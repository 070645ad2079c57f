"""Tiny Gemma models whose last layers share the KV of earlier ones; the zoo has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_VOCAB = 128
_HEADS, _KV_HEADS, _HEAD = 4, 2, 64
_EMBED, _FEED = 128, 192
_WINDOW = 32


class _Writer:
    """Adds zero tensors by their shape as llama.cpp lists it (fastest dimension first)."""

    def __init__(self, path: Path, architecture: str) -> None:
        self.file = gguf.GGUFWriter(str(path), architecture)

    def zeros(self, name: str, *shape: int) -> None:
        self.file.add_tensor(name, np.zeros(tuple(reversed(shape)), dtype=np.float32))

    def finish(self) -> None:
        self.file.write_header_to_file()
        self.file.write_kv_data_to_file()
        self.file.write_tensors_to_file()
        self.file.close()


def _header(writer: _Writer, n_layer: int) -> None:
    file = writer.file
    file.add_name("tiny")
    file.add_context_length(65536)
    file.add_embedding_length(_EMBED)
    file.add_block_count(n_layer)
    file.add_feed_forward_length(_FEED)
    file.add_head_count(_HEADS)
    file.add_head_count_kv(_KV_HEADS)
    file.add_key_length(_HEAD)
    file.add_value_length(_HEAD)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_sliding_window(_WINDOW)
    file.add_vocab_size(_VOCAB)
    file.add_tokenizer_model("no_vocab")
    file.add_rope_freq_base(10000.0)


def _layer(writer: _Writer, layer: int, head: int, *, has_kv: bool) -> None:
    block = f"blk.{layer}."
    writer.zeros(block + "attn_norm.weight", _EMBED)
    writer.zeros(block + "attn_q.weight", _EMBED, head * _HEADS)
    if has_kv:
        writer.zeros(block + "attn_k.weight", _EMBED, head * _KV_HEADS)
        writer.zeros(block + "attn_v.weight", _EMBED, head * _KV_HEADS)
        writer.zeros(block + "attn_k_norm.weight", head)
    writer.zeros(block + "attn_output.weight", head * _HEADS, _EMBED)
    writer.zeros(block + "attn_q_norm.weight", head)
    writer.zeros(block + "post_attention_norm.weight", _EMBED)
    writer.zeros(block + "ffn_norm.weight", _EMBED)
    writer.zeros(block + "ffn_gate.weight", _EMBED, _FEED)
    writer.zeros(block + "ffn_up.weight", _EMBED, _FEED)
    writer.zeros(block + "ffn_down.weight", _FEED, _EMBED)
    writer.zeros(block + "post_ffw_norm.weight", _EMBED)


def tiny_gemma4(path: Path, *, n_layer: int = 8, shared: int = 4) -> Path:
    """Gemma 4: every fourth layer sees everything, with wider heads; `shared` keep no KV."""
    writer = _Writer(path, "gemma4")
    _header(writer, n_layer)
    file, pattern = writer.file, [(layer + 1) % 4 != 0 for layer in range(n_layer)]
    file.add_array("gemma4.attention.sliding_window_pattern", pattern)
    file.add_uint32("gemma4.attention.shared_kv_layers", shared)
    file.add_uint32("gemma4.attention.key_length_swa", _HEAD // 2)
    file.add_uint32("gemma4.attention.value_length_swa", _HEAD // 2)
    file.add_uint32("gemma4.embedding_length_per_layer_input", 0)
    writer.zeros("token_embd.weight", _EMBED, _VOCAB)
    writer.zeros("output_norm.weight", _EMBED)
    writer.zeros("rope_freqs.weight", _HEAD // 2)
    for layer in range(n_layer):
        head = _HEAD // 2 if pattern[layer] else _HEAD
        _layer(writer, layer, head, has_kv=layer < n_layer - shared)
    writer.finish()
    return path


def tiny_gemma3n(path: Path, *, n_layer: int = 22) -> Path:
    """Gemma 3n: llama.cpp gives the first 20 layers a KV cache, the others reuse it."""
    altup, narrow, rank = 4, 256, 64
    writer = _Writer(path, "gemma3n")
    _header(writer, n_layer)
    writer.zeros("token_embd.weight", _EMBED, _VOCAB)
    writer.zeros("altup_proj.weight", _EMBED, _EMBED, altup - 1)
    writer.zeros("altup_unembd_proj.weight", _EMBED, _EMBED, altup - 1)
    writer.zeros("per_layer_token_embd.weight", narrow * n_layer, _VOCAB)
    writer.zeros("per_layer_model_proj.weight", _EMBED, narrow * n_layer)
    writer.zeros("per_layer_proj_norm.weight", narrow)
    writer.zeros("output_norm.weight", _EMBED)
    for layer in range(n_layer):
        block = f"blk.{layer}."
        _layer(writer, layer, _HEAD, has_kv=True)
        writer.zeros(block + "inp_gate.weight", _EMBED, narrow)
        writer.zeros(block + "proj.weight", narrow, _EMBED)
        writer.zeros(block + "post_norm.weight", _EMBED)
        writer.zeros(block + "altup_correct_coef.weight", altup, altup)
        writer.zeros(block + "altup_correct_scale.weight", _EMBED)
        writer.zeros(block + "altup_predict_coef.weight", altup, altup * altup)
        writer.zeros(block + "altup_router.weight", _EMBED, altup)
        writer.zeros(block + "altup_router_norm.weight", _EMBED)
        writer.zeros(block + "laurel_l.weight", _EMBED, rank)
        writer.zeros(block + "laurel_r.weight", rank, _EMBED)
        writer.zeros(block + "laurel_post_norm.weight", _EMBED)
    writer.finish()
    return path
