"""The exact compute buffers of a context that was only measured, through ggml's scheduler.

llama.cpp tells the scheduler where a layer begins while it builds the graph, and a real load heeds
that. Its measuring call forgets it (`ggml_backend_sched_reserve_size` resets the scheduler first):
the cut then comes after the first norm of a layer and not before, so that two hidden states cross
to the next device, each as often as the pipeline is deep. The scheduler still holds the right
graph, from a later step of the same call; here it is measured again.

The fields that are needed have no getters, so this module knows how the struct begins. It is used
only where what it reads agrees with what ggml's own functions say.
"""

from __future__ import annotations

import ctypes
import sys

from engine.llama.library import ggml, has_ggml

_P = ctypes.c_void_p
_MAX_BACKENDS = 16
_SCHEDULER = "_ZNK13llama_context9get_schedEv"
_MEASURE = "ggml_gallocr_reserve_n_size"


class _HashSet(ctypes.Structure):
    _fields_ = (("size", ctypes.c_size_t), ("used", _P), ("keys", _P))


class _Graph(ctypes.Structure):
    """How a `ggml_cgraph` begins."""

    _fields_ = (
        ("size", ctypes.c_int),
        ("n_nodes", ctypes.c_int),
        ("n_leafs", ctypes.c_int),
        ("nodes", _P),
    )


class _Scheduler(ctypes.Structure):
    """How a `ggml_backend_sched` begins."""

    _fields_ = (
        ("is_reset", ctypes.c_bool),
        ("is_alloc", ctypes.c_bool),
        ("n_backends", ctypes.c_int),
        ("backends", _P * _MAX_BACKENDS),
        ("buffer_types", _P * _MAX_BACKENDS),
        ("allocator", _P),
        ("hash_set", _HashSet),
        ("backend_of_tensor", _P),
        ("copies_of_tensor", _P),
        ("node_backends", _P),
        ("leaf_backends", _P),
        ("previous_node_backends", _P),
        ("previous_leaf_backends", _P),
        ("graph", _Graph),
    )


def measured_compute(context: int) -> dict[int, int]:
    """Bytes of the compute buffers by address of the buffer type.

    Args:
        context: Address of a `llama_context` made from a `no_alloc` model.

    Returns:
        Empty where this build cannot be asked this way.
    """
    if sys.platform != "linux" or not (has_ggml(_SCHEDULER) and has_ggml(_MEASURE)):
        return {}
    address = ggml(_SCHEDULER, _P, _P)(context)
    if not address:
        return {}
    scheduler = _Scheduler.from_address(address)
    if not _is_as_expected(address, scheduler):
        return {}
    sizes = (ctypes.c_size_t * _MAX_BACKENDS)()
    ggml(_MEASURE, None, _P, _P, _P, _P, _P)(
        scheduler.allocator,
        ctypes.addressof(scheduler.graph),
        scheduler.node_backends,
        scheduler.leaf_backends,
        ctypes.addressof(sizes),
    )
    # Backends with the same buffer type share one buffer, whose size each of them tells.
    return {scheduler.buffer_types[index]: sizes[index] for index in range(scheduler.n_backends)}


def _is_as_expected(address: int, scheduler: _Scheduler) -> bool:
    count = ggml("ggml_backend_sched_get_n_backends", ctypes.c_int, _P)(address)
    if not 0 < count <= _MAX_BACKENDS or scheduler.n_backends != count:
        return False
    get_backend = ggml("ggml_backend_sched_get_backend", _P, _P, ctypes.c_int)
    get_type = ggml("ggml_backend_sched_get_buffer_type", _P, _P, _P)
    for index in range(count):
        backend = get_backend(address, index)
        if scheduler.backends[index] != backend:
            return False
        if scheduler.buffer_types[index] != get_type(address, backend):
            return False
    graph = scheduler.graph
    is_split = not scheduler.is_reset and not scheduler.is_alloc
    return is_split and 0 < graph.n_nodes <= graph.size and bool(scheduler.allocator)
