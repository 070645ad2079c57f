"""The header of a GGUF file through llama.cpp's own reader: what plans need before a model opens.

It runs in the planner process, because a file that was made to break the reader would.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.library import ggml, log_sink
from engine.planning.facts import ModelFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_P = ctypes.c_void_p
_STRING, _ARRAY = 8, 9
_SCALARS: dict[int, type[ctypes._SimpleCData[int]] | type[ctypes._SimpleCData[float]]] = {
    0: ctypes.c_uint8,
    1: ctypes.c_int8,
    2: ctypes.c_uint16,
    3: ctypes.c_int16,
    4: ctypes.c_uint32,
    5: ctypes.c_int32,
    6: ctypes.c_float,
    7: ctypes.c_uint8,
    10: ctypes.c_uint64,
    11: ctypes.c_int64,
    12: ctypes.c_double,
}
_TOKENS = "tokenizer.ggml.tokens"


class GgufInit(ctypes.Structure):
    """`gguf_init_params`."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


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


class _Reader:
    """One open GGUF header."""

    def __init__(self, path: Path) -> None:
        log_sink.mark()
        start = ggml("gguf_init_from_file", _P, ctypes.c_char_p, GgufInit)
        self._context = start(str(path).encode(), GgufInit(True, None))
        if not self._context:
            reason = (log_sink.complaints() or ["it is no GGUF file"])[-1]
            raise UserError("planning.unreadable", path=str(path), reason=reason)

    def close(self) -> None:
        ggml("gguf_free", None, _P)(self._context)

    def _key(self, name: str) -> int:
        found: int = ggml("gguf_find_key", ctypes.c_int64, _P, ctypes.c_char_p)(
            self._context, name.encode()
        )
        return found

    def _type(self, key: int) -> int:
        kind: int = ggml("gguf_get_kv_type", ctypes.c_int, _P, ctypes.c_int64)(self._context, key)
        return kind

    def text(self, name: str) -> str:
        key = self._key(name)
        if key < 0 or self._type(key) != _STRING:
            return ""
        value = ggml("gguf_get_val_str", ctypes.c_char_p, _P, ctypes.c_int64)(self._context, key)
        return bytes(value or b"").decode("utf-8", "replace")

    def count(self, name: str) -> int:
        key = self._key(name)
        if key < 0 or self._type(key) != _ARRAY:
            return 0
        size: int = ggml("gguf_get_arr_n", ctypes.c_size_t, _P, ctypes.c_int64)(self._context, key)
        return size

    def numbers(self, name: str) -> tuple[int, ...]:
        """An array of numbers, or a single number as an array of one; empty when missing."""
        key = self._key(name)
        if key < 0:
            return ()
        kind, size = self._type(key), 1
        if kind == _ARRAY:
            kind = ggml("gguf_get_arr_type", ctypes.c_int, _P, ctypes.c_int64)(self._context, key)
            size = self.count(name)
            address = ggml("gguf_get_arr_data", _P, _P, ctypes.c_int64)
        else:
            address = ggml("gguf_get_val_data", _P, _P, ctypes.c_int64)
        scalar = _SCALARS.get(kind)
        if scalar is None or not size:
            return ()
        return tuple(int(v) for v in (scalar * size).from_address(address(self._context, key)))

    def number(self, name: str, default: int = 0) -> int:
        values = self.numbers(name)
        return values[0] if values else default

    def tensors(self) -> Iterator[str]:
        count = ggml("gguf_get_n_tensors", ctypes.c_int64, _P)(self._context)
        name = ggml("gguf_get_tensor_name", ctypes.c_char_p, _P, ctypes.c_int64)
        for index in range(count):
            yield name(self._context, index).decode("utf-8", "replace")


def read_header(parts: Sequence[Path]) -> Header:
    """Read the header of a model.

    Args:
        parts: All its files, the first part first.

    Raises:
        UserError: ``planning.unreadable``.
    """
    tensors: list[str] = []
    for part in parts[1:]:
        reader = _Reader(part)
        tensors += reader.tensors()
        reader.close()
    reader = _Reader(parts[0])
    try:
        tensors += reader.tensors()
        return Header(_facts(reader, parts), tuple(tensors), _recurrent_rows(reader))
    finally:
        reader.close()


def _facts(reader: _Reader, parts: Sequence[Path]) -> ModelFacts:
    architecture = reader.text("general.architecture")

    def number(key: str, default: int = 0) -> int:
        return reader.number(f"{architecture}.{key}", default)

    def per_layer(key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        values = reader.numbers(f"{architecture}.{key}")
        return values * n_layer if len(values) == 1 else values or default

    n_layer = number("block_count")
    heads = per_layer("attention.head_count", (0,) * n_layer)
    # llama.cpp divides by the first layer's heads where the file gives no head size.
    usual = number("embedding_length") // heads[0] if heads and heads[0] else 0
    k_size = number("attention.key_length", usual)
    v_size = number("attention.value_length", usual)
    return ModelFacts(
        path=str(parts[0]),
        name=reader.text("general.name"),
        architecture=architecture,
        n_layer=n_layer,
        n_ctx_train=number("context_length"),
        n_embd=number("embedding_length"),
        n_vocab=reader.count(_TOKENS) or number("vocab_size"),
        parts=len(parts),
        file_bytes=sum(part.stat().st_size for part in parts),
        heads=heads,
        kv_heads=per_layer("attention.head_count_kv", heads),
        k_size=k_size,
        v_size=v_size,
        k_size_swa=number("attention.key_length_swa", k_size),
        v_size_swa=number("attention.value_length_swa", v_size),
        n_swa=number("attention.sliding_window"),
        is_mla=number("attention.key_length_mla") > 0,
        shared_kv_layers=_shared_kv_layers(architecture, n_layer, number),
        is_recurrent=any(_recurrent_rows(reader)),
        n_expert=number("expert_count"),
    )


def _shared_kv_layers(architecture: str, n_layer: int, number: Callable[[str], int]) -> int:
    if architecture == "gemma3n":
        return max(0, n_layer - 20)
    return number("attention.shared_kv_layers")


def _recurrent_rows(reader: _Reader) -> tuple[int, int]:
    """Values of one layer's r and s state (llama_hparams::n_embd_r and n_embd_s)."""
    architecture = reader.text("general.architecture")

    def number(key: str) -> int:
        return reader.number(f"{architecture}.{key}")

    n_embd = number("embedding_length")
    if number("wkv.head_size"):
        return number("token_shift_count") * n_embd, n_embd * number("wkv.head_size")
    if number("shortconv.l_cache"):
        return n_embd * (number("shortconv.l_cache") - 1), 0
    kernel = number("ssm.conv_kernel")
    if number("kda.head_dim"):
        heads = reader.numbers(f"{architecture}.attention.head_count")
        width = max(heads, default=0) * number("kda.head_dim")
        return 3 * (kernel - 1 if kernel else 3) * width, number("kda.head_dim") * width
    inner, state = number("ssm.inner_size"), number("ssm.state_size")
    return max(0, kernel - 1) * (inner + 2 * number("ssm.group_count") * state), state * inner
