"""llama.cpp's own account of its memory: per buffer type, and the KV cache by kind.

`llama_get_memory_breakdown` is a C++ function that returns a `std::map` by value, so this module
reads libstdc++'s red-black tree through ctypes. It answers to the byte, for a context that is
allocated and for one that was only measured (`no_alloc`). Where the symbol or the library's layout
is another (libc++, MSVC), `rows_from_log` reads the log lines, which round to 0.01 MiB.
"""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from engine.llama.library import api, ggml, has_ggml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_MIB = 1024 * 1024
_NODE_HEADER_BYTES = 32
_ROOT_OFFSET_BYTES = 16
_MAP_BYTES = 48

_CONTEXT_MAP = "_Z26llama_get_memory_breakdownPK13llama_context"


class BreakdownRow(msgspec.Struct, frozen=True, kw_only=True):
    """One buffer type: what it holds of the model, of the KV cache and of scratch space.

    Attributes:
        buffer: Name of the buffer type, e.g. ``CUDA0``, ``CUDA_Host``, ``CPU``, ``Meta(...)``.
        device_name: The device it belongs to; None where ggml names none.
        is_host: The memory is the machine's RAM.
    """

    buffer: str
    device_name: str | None
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    is_host: bool = False


class _Node(ctypes.Structure):
    _fields_ = (
        ("colour", ctypes.c_size_t),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
    )


def memory_breakdown(
    context: int, *, compute: Mapping[int, int] | None = None
) -> tuple[BreakdownRow, ...]:
    """Bytes per buffer type of a context, live or measured.

    Args:
        context: Address of a `llama_context`.
        compute: Compute buffers by address of the buffer type, where they are known better.

    Returns:
        One row per buffer type; empty where this build does not allow the question.
    """
    function = _map_function(_CONTEXT_MAP)
    if function is None:
        return ()
    rows = [
        _row(buffer_type, (weights, kv, (compute or {}).get(buffer_type, size)))
        for buffer_type, (weights, kv, size) in read_map(function, context, 3)
    ]
    return tuple(sorted(rows, key=lambda row: (row.is_host, row.buffer)))


def kv_kinds(context: int) -> dict[str, int]:
    """Bytes of the KV cache by kind: ``attention``, ``swa``, ``indexer``, ``recurrent`` and so on.

    Empty where this build does not tell; the sum is the breakdown's KV otherwise.
    """
    memory = api().llama_get_memory(ctypes.c_void_p(context))
    if not memory or _map_function(_CONTEXT_MAP) is None:
        return {}
    kinds: dict[str, int] = {}
    for kind, symbol, address in _parts("attention", int(memory)):
        function = _map_function(symbol)
        if function is None:
            return {}
        size = sum(values[0] for _, values in read_map(function, address, 1))
        kinds[kind] = kinds.get(kind, 0) + size
    return {kind: size for kind, size in kinds.items() if size}


def kv_caches(context: int) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
    """The plain caches of a context: kind, cells per sequence, layers. Empty where not known.

    Recurrent memory is left out: it has no cells that grow.
    """
    memory = api().llama_get_memory(ctypes.c_void_p(context))
    if not memory or not has_ggml(_CONTEXT_MAP):
        return ()
    found = []
    for kind, symbol, address in _parts("attention", int(memory)):
        if symbol == _breakdown_symbol(_KV):
            cells = ggml(f"_ZNK{_KV}8get_sizeEv", ctypes.c_uint32, ctypes.c_void_p)(address)
            found.append((kind, int(cells), _layer_ids(address)))
    return tuple(found)


def _layer_ids(cache_address: int) -> tuple[int, ...]:
    # A std::vector<uint32_t> by value: begin, end, end of storage.
    vector = (ctypes.c_void_p * 3)()
    ggml(f"_ZNK{_KV}13get_layer_idsEv", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
        ctypes.addressof(vector), cache_address
    )
    begin, end = vector[0], vector[1]
    if not begin or not end:
        return ()
    count = (end - begin) // ctypes.sizeof(ctypes.c_uint32)
    layers = tuple((ctypes.c_uint32 * count).from_address(begin))
    _free(ctypes.c_void_p(begin))
    return layers


# How each class of memory is made of others: class -> (kind, getter, class of the part). A getter
# is the mangled name of a const member function that returns a pointer.
_KV = "14llama_kv_cache"
_RECURRENT = "22llama_memory_recurrent"
_PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "19llama_kv_cache_iswa": (("attention", "8get_base"), ("swa", "7get_swa")),
    "18llama_kv_cache_dsa": (("attention", "7get_mla"), ("indexer", "7get_lid")),
    "18llama_kv_cache_msa": (("attention", "8get_base"), ("indexer", "7get_idx")),
    "23llama_kv_cache_dsa_iswa": (("", "7get_dsa"), ("swa", "7get_swa")),
    "19llama_kv_cache_dsv4": (
        ("window", "7get_raw"),
        ("compressed", "7get_csa"),
        ("compressed", "7get_hca"),
        ("indexer", "7get_lid"),
    ),
    "19llama_memory_hybrid": (("attention", "12get_mem_attn"), ("recurrent", "12get_mem_recr")),
    "24llama_memory_hybrid_iswa": (("", "12get_mem_attn"), ("recurrent", "12get_mem_recr")),
}
_DSV4_STATES = ("13get_csa_state", "13get_hca_state", "13get_lid_state")
_DSV4_STATE = "21llama_dsv4_comp_state"


def _parts(kind: str, address: int) -> Iterator[tuple[str, str, int]]:
    """The plain caches inside a memory object: kind, its breakdown's symbol, its address."""
    name = _class_of(address)
    if name in (_KV, _RECURRENT):
        yield ("recurrent" if name == _RECURRENT else kind), _breakdown_symbol(name), address
        return
    if name == "23llama_memory_hybrid_idx":
        yield from _hybrid_with_index(address)
        return
    for part_kind, getter in _PARTS.get(name, ()):
        yield from _parts(part_kind or kind, _get(name, getter, address))
    if name == "19llama_kv_cache_dsv4":
        for getter in _DSV4_STATES:
            state = _get(name, getter, address)
            yield "compressor state", _breakdown_symbol(_DSV4_STATE), state


def _hybrid_with_index(address: int) -> Iterator[tuple[str, str, int]]:
    for kind, getter in _PARTS["19llama_memory_hybrid"]:
        yield from _parts(kind, _get("19llama_memory_hybrid", getter, address))
    index = _get("23llama_memory_hybrid_idx", "11get_mem_idx", address)
    if index:
        yield from _parts("indexer", index)


def _breakdown_symbol(name: str) -> str:
    return f"_ZNK{name}16memory_breakdownEv"


def _get(name: str, getter: str, address: int) -> int:
    function = ggml(f"_ZNK{name}{getter}Ev", ctypes.c_void_p, ctypes.c_void_p)
    return function(address) or 0


def _class_of(address: int) -> str:
    """The mangled class name of a polymorphic object, by its vtable; empty when not known."""
    vtable = ctypes.c_void_p.from_address(address).value or 0
    return _vtables().get(vtable, "")


@cache
def _vtables() -> dict[int, str]:
    known: dict[int, str] = {}
    for name in (_KV, _RECURRENT, "23llama_memory_hybrid_idx", *_PARTS):
        try:
            start = ctypes.c_char.in_dll(api()._lib, f"_ZTV{name}")
        except ValueError:
            continue
        # Objects point past the offset-to-top and the type information.
        known[ctypes.addressof(start) + 2 * ctypes.sizeof(ctypes.c_void_p)] = name
    return known


@cache
def _map_function(symbol: str) -> Callable[..., Any] | None:
    """A C++ function `std::map<buft, …> f(const T *)`; None where it cannot be called this way."""
    if sys.platform != "linux" or not has_ggml(symbol):
        return None
    # A class returned by value comes back through a hidden first argument.
    function: Callable[..., Any] = ggml(symbol, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    return function


def read_map(
    function: Callable[..., Any], subject: int, words: int
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Call and read the returned map: key address -> `words` sizes. Frees the map's nodes."""
    block = ctypes.create_string_buffer(_MAP_BYTES)
    function(ctypes.addressof(block), subject)
    root = ctypes.c_void_p.from_buffer(block, _ROOT_OFFSET_BYTES).value
    entries = []
    pending = [root] if root else []
    while pending:
        address = pending.pop()
        node = _Node.from_address(address)
        pending += [child for child in (node.left, node.right) if child]
        data = (ctypes.c_size_t * (1 + words)).from_address(address + _NODE_HEADER_BYTES)
        entries.append((data[0], tuple(data[1:])))
        _free(ctypes.c_void_p(address))
    return iter(entries)


# `operator new` of libstdc++ is malloc.
_free = ctypes.CDLL(None).free if sys.platform == "linux" else lambda _address: None


def _row(buffer_type: int, values: tuple[int, ...]) -> BreakdownRow:
    device = ggml("ggml_backend_buft_get_device", ctypes.c_void_p, ctypes.c_void_p)(buffer_type)
    name = (
        ggml("ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)(device) if device else b""
    )
    buffer: bytes = ggml("ggml_backend_buft_name", ctypes.c_char_p, ctypes.c_void_p)(buffer_type)
    return BreakdownRow(
        buffer=buffer.decode(),
        device_name=name.decode() if name else None,
        weights_bytes=values[0],
        kv_bytes=values[1],
        compute_bytes=values[2],
        is_host=ggml("ggml_backend_buft_is_host", ctypes.c_bool, ctypes.c_void_p)(buffer_type),
    )


_LINES = (
    ("weights", re.compile(r"(\S+) model buffer size = +([\d.]+) MiB")),
    ("kv", re.compile(r"(\S+) (?:KV|RS) buffer size = +([\d.]+) MiB")),
    ("compute", re.compile(r"(\S+) compute buffer size = +([\d.]+) MiB")),
)


def rows_from_log(lines: Iterable[str]) -> tuple[BreakdownRow, ...]:
    """What the log of one load says, where the breakdown itself cannot be read.

    Sizes are rounded to 0.01 MiB. A measured (`no_alloc`) load prints no sizes for weights and KV.
    """
    sums: dict[str, dict[str, float]] = {}
    for line in lines:
        for part, pattern in _LINES:
            found = pattern.search(line)
            if found:
                row = sums.setdefault(found[1], {"weights": 0.0, "kv": 0.0, "compute": 0.0})
                row[part] += float(found[2])
    return tuple(
        BreakdownRow(
            buffer=buffer,
            device_name=None if "_" in buffer else buffer,
            weights_bytes=round(row["weights"] * _MIB),
            kv_bytes=round(row["kv"] * _MIB),
            compute_bytes=round(row["compute"] * _MIB),
            is_host=buffer.startswith("CPU") or buffer.endswith("_Host"),
        )
        for buffer, row in sums.items()
    )
