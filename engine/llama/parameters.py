"""`EngineSettings` as llama.cpp's parameter structs: the same for a real load and for a dry run.

A plan is only worth something when it is made from the very parameters of the load, so both take
them from here. The structs point into arrays that `Parameters` keeps alive.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.llama.library import api, ggml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.settings import EngineSettings

KV_TYPES: dict[str, int] = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "iq4_nl": 20,
    "bf16": 30,
}
"""`ggml_type` of each KV cache type."""

OUTPUTS_MAX = 16
"""Rows of logits that one decode may ask for: one to sample from, the others to check a draft.

llama.cpp's own default reserves a row per token of a batch, some 300 MiB with a large vocabulary.
"""

_SPLIT_MODES = {"none": 0, "layer": 1, "tensor": 3}
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_ROPE_SCALING = {"model": -1, "none": 0, "linear": 1, "yarn": 2}
_LOAD_NONE, _LOAD_MMAP, _LOAD_MLOCK, _LOAD_MMAP_MLOCK = 0, 1, 2, 3

_EXPERTS = r"blk\.{layer}\.ffn_(up|down|gate|gate_up)_(ch|)exps"


class _Override(ctypes.Structure):
    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


@dataclass
class Parameters:
    """A parameter struct and the memory it points into; keep it until the call has returned."""

    struct: Any
    kept: list[Any] = field(default_factory=list)


def model_parameters(
    settings: EngineSettings, devices: Sequence[int], *, dry: bool = False
) -> Parameters:
    """`llama_model_params` for settings.

    Args:
        settings: What the user asked for.
        devices: Addresses of the ggml devices, in order; none puts everything on the CPU.
        dry: Only measure: nothing is allocated and no weights are read.
    """
    struct = api().llama_model_default_params()
    handles = (ctypes.c_void_p * (len(devices) + 1))(*devices, None)
    struct.devices = ctypes.addressof(handles)
    kept: list[Any] = [handles]
    struct.n_gpu_layers = settings.n_gpu_layers
    struct.split_mode = _SPLIT_MODES[settings.split_mode]
    struct.main_gpu = settings.main_gpu
    struct.no_alloc = dry
    struct.load_mode = _LOAD_NONE if dry else _load_mode(settings)
    if settings.tensor_split and devices and settings.split_mode != "none":
        shares = (ctypes.c_float * int(api().llama_max_devices()))(*settings.tensor_split)
        struct.tensor_split = shares
        kept.append(shares)
    if settings.n_cpu_moe:
        overrides = _experts_on_cpu(settings.n_cpu_moe)
        struct.tensor_buft_overrides = ctypes.addressof(overrides)
        kept.append(overrides)
    return Parameters(struct, kept)


def _load_mode(settings: EngineSettings) -> int:
    if settings.mmap:
        return _LOAD_MMAP_MLOCK if settings.mlock else _LOAD_MMAP
    return _LOAD_MLOCK if settings.mlock else _LOAD_NONE


def _experts_on_cpu(layers: int) -> ctypes.Array[_Override]:
    """Patterns that keep the experts of the first layers in RAM; an empty one ends the list."""
    cpu = ggml("ggml_backend_cpu_buffer_type", ctypes.c_void_p)()
    overrides = (_Override * (layers + 1))()
    for layer in range(layers):
        pattern = _EXPERTS.format(layer=layer).encode()
        overrides[layer] = _Override(pattern, cpu)
    return overrides


def context_parameters(settings: EngineSettings, *, threads: int, threads_batch: int) -> Parameters:
    """`llama_context_params` for settings, with the thread counts already decided."""
    struct = api().llama_context_default_params()
    struct.n_ctx = settings.n_ctx
    struct.n_batch = settings.n_batch
    struct.n_ubatch = min(settings.n_ubatch, settings.n_batch)
    struct.n_seq_max = 1
    struct.n_outputs_max = min(OUTPUTS_MAX, settings.n_batch)
    struct.n_outputs_max_per_seq = struct.n_outputs_max
    struct.n_threads = threads
    struct.n_threads_batch = threads_batch
    struct.flash_attn_type = _FLASH_ATTENTION[settings.flash_attn]
    struct.type_k = KV_TYPES[settings.type_k]
    struct.type_v = KV_TYPES[settings.type_v]
    struct.offload_kqv = settings.offload_kqv
    struct.swa_full = settings.swa_full
    struct.no_perf = False
    struct.rope_scaling_type = _ROPE_SCALING[settings.rope_scaling]
    struct.rope_freq_base = settings.rope_freq_base
    struct.rope_freq_scale = settings.rope_freq_scale
    struct.yarn_orig_ctx = settings.yarn_orig_ctx
    struct.yarn_ext_factor = settings.yarn_ext_factor
    struct.yarn_attn_factor = settings.yarn_attn_factor
    struct.yarn_beta_fast = settings.yarn_beta_fast
    struct.yarn_beta_slow = settings.yarn_beta_slow
    return Parameters(struct)
