"""What rules and plans need of a model file's header, on top of the product's one GGUF reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.models.gguf_file import read_gguf
from engine.models.model_files import parts_of, split_place, truncated
from engine.planning.facts import ModelFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.models.gguf_file import GgufFile

VOCABULARY = "tokenizer.ggml.tokens"
"""Key of the words of a model."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's header says.

    Attributes:
        facts: What rules and plans go by.
        tensors: Names of all tensors, over all parts.
        recurrent: Sizes of the recurrent state: values of the r and of the s row of a layer.
    """

    facts: ModelFacts
    tensors: tuple[str, ...]
    recurrent: tuple[int, int]


def read_header(path: Path) -> Header:
    """Read the header of a model, over all its parts.

    Args:
        path: The file; of a split model, the first part.

    Raises:
        UserError: ``models.not_found``, ``models.not_gguf``, ``models.damaged`` …: what is wrong
            with the file, or which part is missing or not the first.
    """
    place = split_place(path.name)
    if place is not None and place[1] != 1:
        raise UserError("models.not_first_part", path=str(path), first=parts_of(path)[0].name)
    files = [read_gguf(part) for part in parts_of(path)]
    declared = files[0].number("split.count", 1)
    if declared > len(files):
        raise UserError("models.part_renamed", path=str(path), count=declared)
    for file in files:
        if file.missing_bytes:
            raise UserError.of(truncated(file.path, file.missing_bytes))
    tensors = tuple(tensor.name for file in files for tensor in file.tensors)
    return Header(_facts(files), tensors, _recurrent_rows(files[0]))


def _facts(files: Sequence[GgufFile]) -> ModelFacts:
    first = files[0]
    architecture = first.text("general.architecture")

    def number(key: str, default: int = 0) -> int:
        return first.number(f"{architecture}.{key}", default)

    def per_layer(key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        values = first.numbers(f"{architecture}.{key}")
        return values * n_layer if len(values) == 1 else values or default

    n_layer = number("block_count")
    heads = per_layer("attention.head_count", (0,) * n_layer)
    # llama.cpp divides by the first layer's heads where the file gives no head size.
    usual = number("embedding_length") // heads[0] if heads and heads[0] else 0
    k_size = number("attention.key_length", usual)
    v_size = number("attention.value_length", usual)
    return ModelFacts(
        path=str(first.path),
        name=first.text("general.name"),
        architecture=architecture,
        n_layer=n_layer,
        n_ctx_train=number("context_length"),
        n_embd=number("embedding_length"),
        n_vocab=first.array_lengths.get(VOCABULARY) or number("vocab_size"),
        parts=len(files),
        file_bytes=sum(file.file_bytes for file in files),
        heads=heads,
        kv_heads=per_layer("attention.head_count_kv", heads),
        k_size=k_size,
        v_size=v_size,
        k_size_swa=number("attention.key_length_swa", k_size),
        v_size_swa=number("attention.value_length_swa", v_size),
        n_swa=number("attention.sliding_window"),
        is_mla=number("attention.key_length_mla") > 0,
        shared_kv_layers=_shared_kv_layers(architecture, n_layer, number),
        is_recurrent=any(_recurrent_rows(first)),
        n_expert=number("expert_count"),
    )


def _shared_kv_layers(architecture: str, n_layer: int, number: Callable[[str], int]) -> int:
    if architecture == "gemma3n":
        return max(0, n_layer - 20)
    return number("attention.shared_kv_layers")


def _recurrent_rows(file: GgufFile) -> tuple[int, int]:
    """Values of one layer's r and s state (llama_hparams::n_embd_r and n_embd_s)."""
    architecture = file.text("general.architecture")

    def number(key: str) -> int:
        return file.number(f"{architecture}.{key}")

    n_embd = number("embedding_length")
    if number("wkv.head_size"):
        return number("token_shift_count") * n_embd, n_embd * number("wkv.head_size")
    if number("shortconv.l_cache"):
        return n_embd * (number("shortconv.l_cache") - 1), 0
    kernel = number("ssm.conv_kernel")
    if number("kda.head_dim"):
        heads = file.numbers(f"{architecture}.attention.head_count")
        width = max(heads, default=0) * number("kda.head_dim")
        return 3 * (kernel - 1 if kernel else 3) * width, number("kda.head_dim") * width
    inner, state = number("ssm.inner_size"), number("ssm.state_size")
    return max(0, kernel - 1) * (inner + 2 * number("ssm.group_count") * state), state * inner
