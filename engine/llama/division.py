"""How a tensor split divides a model: what each device gets of the weights and of the KV cache.

A dry run shows one `Meta` device with everything on it. llama.cpp decides tensor by tensor which
slice a device gets, in granules that keep heads and quantization blocks whole, so this module asks
that very function (`llama_meta_device_get_split_state`) instead of imitating it.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from engine.llama.library import ggml, has_ggml

if TYPE_CHECKING:
    from collections.abc import Sequence

_P = ctypes.c_void_p
_DIMS = 4
_MAX_DEVICES = 16
_MAX_SEGMENTS = 16
_SPLIT_STATE = "_Z33llama_meta_device_get_split_statePK11ggml_tensorPv"
_GET_TENSOR = "_ZNK11llama_model10get_tensorEPKc"
F32 = 0


class _Tensor(ctypes.Structure):
    """`ggml_tensor`; only what decides size and name is ever filled in."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", _P),
        ("ne", ctypes.c_int64 * _DIMS),
        ("nb", ctypes.c_size_t * _DIMS),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", _P * 10),
        ("view_src", _P),
        ("view_offs", ctypes.c_size_t),
        ("data", _P),
        ("name", ctypes.c_char * 64),
        ("extra", _P),
        ("padding", ctypes.c_char * 8),
    )


class _State(ctypes.Structure):
    _fields_ = (
        ("axis", ctypes.c_int),
        ("ne", ctypes.c_int64 * (_MAX_SEGMENTS * _MAX_DEVICES)),
        ("nr", ctypes.c_uint32 * _MAX_SEGMENTS),
        ("n_segments", ctypes.c_uint32),
    )


class _UserData(ctypes.Structure):
    _fields_ = (("n_devices", ctypes.c_size_t), ("model", _P))


@dataclass(frozen=True, slots=True)
class Cache:
    """One tensor of the KV cache, by the name llama.cpp gives it."""

    name: str
    ggml_type: int
    width: int
    rows: int


def can_divide() -> bool:
    """Whether this build lets us ask how tensors are divided."""
    return has_ggml(_SPLIT_STATE) and has_ggml(_GET_TENSOR)


class Division:
    """Asks how one open model is divided between its devices. Owned by a dry run."""

    def __init__(self, model: int, devices: Sequence[int]) -> None:
        self._model = model
        self._user_data = _UserData(len(devices), model)
        self._buffer_types = [ggml("ggml_backend_dev_buffer_type", _P, _P)(d) for d in devices]
        self._alignments = [
            ggml("ggml_backend_buft_get_alignment", ctypes.c_size_t, _P)(b)
            for b in self._buffer_types
        ]

    def weights(self, names: Sequence[str], meta_bytes: int) -> list[int]:
        """Bytes of the weights that each device gets.

        Args:
            names: All tensors of the file.
            meta_bytes: Undivided bytes that the dry run found on the `Meta` device. What the
                tensors do not add up to is there twice (an output layer that is the embedding),
                under a name that is not divided.
        """
        sums, whole = [0] * len(self._buffer_types), 0
        for tensor in filter(None, map(self._tensor, names)):
            if _is_divided(tensor.buffer):
                whole += self._padded(0, tensor)
                sums = [a + b for a, b in zip(sums, self._slices(tensor), strict=True)]
        rest = max(0, meta_bytes - whole)
        return [size + rest for size in sums]

    def parts(self, names: Sequence[str]) -> tuple[float, ...]:
        """The share of the divided weights that each device really gets, after rounding."""
        sums = [0] * len(self._buffer_types)
        for tensor in filter(None, map(self._tensor, names)):
            if _is_divided(tensor.buffer) and 0 <= self._state(tensor).axis < _DIMS:
                sums = [a + b for a, b in zip(sums, self._slices(tensor), strict=True)]
        return tuple(size / sum(sums) for size in sums) if sum(sums) else ()

    def caches(self, caches: Sequence[Cache]) -> list[int]:
        """Bytes of KV tensors that each device gets."""
        sums = [0] * len(self._buffer_types)
        for entry in caches:
            tensor = _made(entry.ggml_type, (entry.width, entry.rows, 1, 1), entry.name)
            for index, size in enumerate(self._slices(tensor)):
                sums[index] += size
        return sums

    def on_devices(self, name: str) -> bool | None:
        """Whether a weight lies on the devices; None when the model has none of that name."""
        tensor = self._tensor(name)
        return None if tensor is None else _is_divided(tensor.buffer)

    def _tensor(self, name: str) -> _Tensor | None:
        address = ggml(_GET_TENSOR, _P, _P, ctypes.c_char_p)(self._model, name.encode())
        return _Tensor.from_address(address) if address else None

    def _state(self, tensor: _Tensor) -> _State:
        state: _State = ggml(_SPLIT_STATE, _State, _P, _P)(
            ctypes.addressof(tensor), ctypes.addressof(self._user_data)
        )
        return state

    def _counts(self, state: _State) -> list[int]:
        devices = len(self._buffer_types)
        return [
            sum(state.ne[s * devices + d] * state.nr[s] for s in range(state.n_segments))
            for d in range(devices)
        ]

    def _slices(self, tensor: _Tensor) -> list[int]:
        state = self._state(tensor)
        if not 0 <= state.axis < _DIMS:
            return [self._padded(index, tensor) for index in range(len(self._buffer_types))]
        sizes = []
        for index, count in enumerate(self._counts(state)):
            shape = list(tensor.ne)
            shape[state.axis] = count
            slice_ = _made(tensor.type, shape, "")
            sizes.append(self._padded(index, slice_) if count else 0)
        return sizes

    def _padded(self, index: int, tensor: _Tensor) -> int:
        key = (self._buffer_types[index], tensor.type, tuple(tensor.ne))
        alignment: int = self._alignments[index]
        return -(-_alloc_size(*key) // alignment) * alignment


def _made(ggml_type: int, shape: Sequence[int], name: str) -> _Tensor:
    """A contiguous tensor without data."""
    tensor = _Tensor(type=ggml_type, name=name.encode())
    tensor.ne[:] = list(shape)
    strides = [_type_size(ggml_type), _row_size(ggml_type, shape[0])]
    for dimension in range(1, _DIMS - 1):
        strides.append(strides[-1] * shape[dimension])
    tensor.nb[:] = strides
    return tensor


@cache
def _alloc_size(buffer_type: int, ggml_type: int, shape: tuple[int, ...]) -> int:
    tensor = _made(ggml_type, shape, "")
    size: int = ggml("ggml_backend_buft_get_alloc_size", ctypes.c_size_t, _P, _P)(
        buffer_type, ctypes.addressof(tensor)
    )
    return size


@cache
def _type_size(ggml_type: int) -> int:
    size: int = ggml("ggml_type_size", ctypes.c_size_t, ctypes.c_int)(ggml_type)
    return size


@cache
def _row_size(ggml_type: int, values: int) -> int:
    size: int = ggml("ggml_row_size", ctypes.c_size_t, ctypes.c_int, ctypes.c_int64)(
        ggml_type, values
    )
    return size


def _is_divided(buffer: int | None) -> bool:
    if not buffer:
        return False
    buffer_type = ggml("ggml_backend_buffer_get_type", _P, _P)(buffer)
    name: bytes = ggml("ggml_backend_buft_name", ctypes.c_char_p, _P)(buffer_type)
    return name.startswith(b"Meta(")
