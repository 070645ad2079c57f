"""What a model file says about itself, read without loading it and without llama.cpp."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from engine.models.ggml_types import FILE_TYPES, GUESSED_FILE_TYPE, TENSOR_TYPES
from engine.models.gguf_file import GgufFile, read_gguf
from engine.models.kv_layout import KvLayout, head_sizes, kv_layout
from engine.models.model_files import parts_of, truncated

if TYPE_CHECKING:
    from pathlib import Path

    from engine.errors import Problem

ModelKind = Literal["model", "projector", "adapter", "vocabulary"]


class ModelHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one model, over all parts of a split one. None is unknown.

    Attributes:
        path: The file, or the first part.
        kind: A projector (mmproj) gives another model eyes or ears; an adapter is a LoRA.
        file_bytes: Size of all parts.
        parts: How many files it is split into.
        parameter_count: Numbers in all tensors.
        quantization: How the weights are stored, e.g. ``"Q4_K_M"``.
        layers: Blocks of the network.
        heads: Attention heads of a layer; the most, where layers differ.
        kv_heads: Heads of K and V of a layer; the most, where layers differ.
        head_size_k: Width of a K head.
        sliding_window: Width in tokens; 0 without one.
        experts: Experts of a layer; 0 for a dense model.
        experts_used: Experts that each token goes through.
        has_chat_template: Whether the file brings one.
        guessing_layers: Layers for the next tokens (MTP), which are part of `layers` and not used.
        missing_bytes: What lies behind the end of the file; 0 for a whole one.
        kv: Shape of the KV cache; None for an architecture that keeps one of its own kind.
    """

    path: str
    name: str
    architecture: str
    kind: ModelKind
    file_bytes: int
    parts: int
    parameter_count: int
    quantization: str | None
    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_size_k: int | None
    head_size_v: int | None
    context_length: int | None
    embedding_length: int | None
    vocabulary_size: int | None
    sliding_window: int
    experts: int
    experts_used: int
    has_chat_template: bool
    guessing_layers: int = 0
    missing_bytes: int = 0
    kv: KvLayout | None = None

    @property
    def problem(self) -> Problem | None:
        """The sentence for a file that was cut off, or None."""
        return truncated(self.path, self.missing_bytes) if self.missing_bytes else None

    def kv_bytes_per_token(self, type_k: str = "f16", type_v: str = "f16") -> int | None:
        """By how much the KV cache grows with each token of context.

        Layers with a sliding window do not grow. None when it is not known for this architecture,
        or when the cache cannot be stored in these types.
        """
        return self.kv.bytes_per_token(type_k, type_v) if self.kv else None

    def as_facts(self) -> dict[str, Any]:
        """The stable form that ``inspect --json`` prints."""
        return {
            "path": self.path,
            "name": self.name,
            "kind": self.kind,
            "architecture": self.architecture,
            "parameters": self.parameter_count,
            "quantization": self.quantization,
            "file_bytes": self.file_bytes,
            "parts": self.parts,
            "complete": not self.missing_bytes,
            "layers": self.layers,
            "guessing_layers": self.guessing_layers,
            "heads": self.heads,
            "kv_heads": self.kv_heads,
            "head_size_k": self.head_size_k,
            "head_size_v": self.head_size_v,
            "context_length": self.context_length,
            "embedding_length": self.embedding_length,
            "vocabulary_size": self.vocabulary_size,
            "sliding_window": self.sliding_window,
            "experts": self.experts,
            "experts_used": self.experts_used,
            "kv_bytes_per_token": self.kv_bytes_per_token(),
            "kv_bytes_per_token_q8_0": self.kv_bytes_per_token("q8_0", "q8_0"),
            "kv_bytes_per_token_q4_0": self.kv_bytes_per_token("q4_0", "q4_0"),
            "chat_template": self.has_chat_template,
        }


def read_header(path: Path) -> ModelHeader:
    """Read a model's header; any part of a split model stands for the whole.

    Raises:
        UserError: ``models.not_found``, ``models.not_gguf``, ``models.damaged``,
            ``models.part_missing`` …
    """
    files = [read_gguf(part) for part in parts_of(path)]
    first = files[0]
    architecture = first.text("general.architecture")

    def numbers(key: str) -> tuple[int, ...]:
        return first.numbers(f"{architecture}.{key}")

    k_size, v_size = head_sizes(numbers)
    layout = kv_layout(architecture, numbers)
    heads = numbers("attention.head_count")
    return ModelHeader(
        path=str(first.path),
        name=first.text("general.name") or first.path.stem,
        architecture=architecture or "unknown",
        kind=_kind(first, architecture),
        file_bytes=sum(file.file_bytes for file in files),
        parts=len(files),
        parameter_count=sum(tensor.values for file in files for tensor in file.tensors),
        quantization=_quantization(files),
        layers=_known(numbers("block_count")),
        heads=_known(heads),
        kv_heads=_known(numbers("attention.head_count_kv") or heads),
        head_size_k=k_size or None,
        head_size_v=v_size or None,
        context_length=_known(numbers("context_length")),
        embedding_length=_known(numbers("embedding_length")),
        vocabulary_size=_vocabulary_size(first, numbers("vocab_size")),
        sliding_window=layout.window if layout else max((0, *numbers("attention.sliding_window"))),
        experts=max((0, *numbers("expert_count"))),
        experts_used=max((0, *numbers("expert_used_count"))),
        has_chat_template="tokenizer.chat_template" in first.values,
        guessing_layers=max((0, *numbers("nextn_predict_layers"))),
        missing_bytes=sum(file.missing_bytes for file in files),
        kv=layout,
    )


def _known(values: tuple[int, ...]) -> int | None:
    return max(values, default=0) or None


def _kind(file: GgufFile, architecture: str) -> ModelKind:
    declared = file.text("general.type")
    if declared == "mmproj" or architecture == "clip":
        return "projector"
    if declared == "adapter":
        return "adapter"
    return "model" if file.tensors or file.number("split.count") > 1 else "vocabulary"


def _vocabulary_size(file: GgufFile, declared: tuple[int, ...]) -> int | None:
    return file.array_lengths.get("tokenizer.ggml.tokens") or _known(declared)


def _quantization(files: list[GgufFile]) -> str | None:
    declared = files[0].numbers("general.file_type")
    if declared:
        return FILE_TYPES.get(declared[0] & ~GUESSED_FILE_TYPE)
    # Without a declaration: what most of the weights are stored in.
    values: Counter[int] = Counter()
    for file in files:
        for tensor in file.tensors:
            values[tensor.kind] += tensor.values
    most = TENSOR_TYPES.get(values.most_common(1)[0][0]) if values else None
    return most.name.upper() if most else None
