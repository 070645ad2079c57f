"""The vision projector: measured without reading its weights, and loaded beside a model.

llama.cpp's library for it (libmtmd) has a dry run of its own, `clip_init` with `no_alloc`: it lays
out the tensors, builds the graph of the largest usual image and tells the bytes per device. It does
take the room of the weights for a moment, and ends the process when there is none, so memory is
asked first, and a device without enough is stood in for by the CPU.
"""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import UserError
from engine.llama.breakdown import read_map, rows_from_log
from engine.llama.devices import cpu_device
from engine.llama.library import api, log_sink, send_logs
from engine.llama.outcome import Cancelled
from engine.llama.placement import shares_of
from engine.llama.threads import thread_counts
from engine.models.projector import projector_of, weights_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from engine.llama.devices import Device
    from engine.llama.model import LoadProgress, Model
    from engine.settings import EngineSettings

_P = ctypes.c_void_p
_INIT = "_Z9clip_initPKc19clip_context_params"
_EMBEDDING = "_Z18clip_n_mmproj_embdPK8clip_ctx"
_USAGE = "_Z18clip_get_mem_usagePK8clip_ctx"
_FREE = "_Z9clip_freeP8clip_ctx"
# Room beside the weights. A measurement also wants that of the graph, or it would come out short; a
# load must only not run out while the weights are allocated, which would end the process.
_ROOM_TO_MEASURE_BYTES = 512 * 1024 * 1024
_ROOM_TO_LOAD_BYTES = 64 * 1024 * 1024


_NAMES = re.compile(r"^(?:\w*_\w+: )+")


class _ClipParameters(ctypes.Structure):
    """`clip_context_params`."""

    _fields_ = (
        ("use_gpu", ctypes.c_bool),
        ("device", _P),
        ("flash_attn_type", ctypes.c_int),
        ("image_min_tokens", ctypes.c_int),
        ("image_max_tokens", ctypes.c_int),
        ("warmup", ctypes.c_bool),
        ("eval_callback", _P),
        ("eval_user_data", _P),
        ("no_alloc", ctypes.c_bool),
        ("progress_callback", _P),
        ("progress_user_data", _P),
    )


class _ClipResult(ctypes.Structure):
    """`clip_init_result`."""

    _fields_ = (("vision", _P), ("audio", _P), ("audio_out", _P))


class ProjectorShare(msgspec.Struct, frozen=True, kw_only=True):
    """What a projector takes.

    Attributes:
        device_bytes: On the device it was measured for.
        host_bytes: In RAM: everything without a device, else what its graph leaves to the CPU.
        n_embd: Width of what it hands to the model; None where it could not be asked.
    """

    device_bytes: int
    host_bytes: int
    n_embd: int | None


def measured_projector(path: Path, device: Device | None) -> ProjectorShare:
    """What a projector would take, and which width of model it is for.

    Args:
        path: A file that is a projector by its header.
        device: Where it would go; None for the CPU.

    Raises:
        UserError: ``engine.projector_refused``.
    """
    if not _can_measure():
        size = weights_bytes(path)
        on_host = device is None
        return ProjectorShare(
            device_bytes=0 if on_host else size, host_bytes=size if on_host else 0, n_embd=None
        )
    has_room = device is not None and _has_room(device, path, _ROOM_TO_MEASURE_BYTES)
    asked = device if has_room else None
    log_sink.mark()
    result = _native(_INIT, _ClipResult, ctypes.c_char_p, _ClipParameters)(
        str(path).encode(),
        _ClipParameters(
            use_gpu=asked is not None,
            device=asked.handle if asked else None,
            flash_attn_type=-1,
            image_min_tokens=-1,
            image_max_tokens=-1,
            warmup=True,
            no_alloc=True,
        ),
    )
    parts = [part for part in (result.vision, result.audio, result.audio_out) if part]
    if not parts:
        raise refused(path)
    try:
        usage: dict[int, int] = {}
        for part in parts:
            for place, (size,) in read_map(_native(_USAGE, _P, _P, _P), part, 1):
                usage[place] = usage.get(place, 0) + size
        n_embd = int(_native(_EMBEDDING, ctypes.c_int, _P)(parts[0]))
    finally:
        for part in parts:
            _native(_FREE, None, _P)(part)
    on_device = usage.get(asked.handle, 0) if asked else 0
    host_bytes = sum(usage.values()) - on_device
    if device is not None and asked is None:
        on_device, host_bytes = host_bytes, 0
    return ProjectorShare(device_bytes=on_device, host_bytes=host_bytes, n_embd=n_embd)


class Projector:
    """Owns an `mtmd_context`; free it before its model. Lives on the engine's main thread.

    Attributes:
        path: Its file.
        bytes_by_device: What it took by device id (``cpu`` is RAM), by the log of this very load.
    """

    def __init__(
        self,
        path: Path,
        model: int,
        device: Device | None,
        threads: int,
        progress: LoadProgress,
    ) -> None:
        """Load it.

        Args:
            path: A file that is a projector by its header.
            model: Address of the `llama_model` it goes with.
            device: Where it goes; None for the CPU.
            threads: CPU threads for what it computes there.
            progress: Told how far it is; False cancels.

        Raises:
            UserError: It is another model's, it is damaged, or memory is short.
            Cancelled: `progress` returned False.
        """
        self.path = path
        if device is not None and not _has_room(device, path, _ROOM_TO_LOAD_BYTES):
            raise UserError(
                "engine.projector_out_of_memory", path=str(path), device=device.info.description
            )
        native, total_bytes = _mtmd(), path.stat().st_size
        stopped = False

        def on_progress(fraction: float, _user_data: int | None) -> bool:
            nonlocal stopped
            stopped = stopped or not progress("projector", min(1.0, fraction), total_bytes)
            return not stopped

        parameters = native.mtmd_context_params_default()
        parameters.use_gpu = device is not None
        parameters.device = device.handle if device else None
        parameters.n_threads = threads
        parameters.print_timings = False
        callback = native.mtmd_progress_callback(on_progress)
        parameters.progress_callback = callback
        log_sink.mark()
        self._handle = native.mtmd_init_from_file(str(path).encode(), model, parameters) or 0
        if stopped:
            self.close()
            raise Cancelled
        if not self._handle:
            raise refused(path)
        self.bytes_by_device = _account(path, device)

    def close(self) -> None:
        """Free it."""
        handle, self._handle = self._handle, 0
        if handle:
            _mtmd().mtmd_free(handle)


def opened_projector(
    settings: EngineSettings, model: Model, progress: LoadProgress
) -> Projector | None:
    """The projector that settings ask for, on the first of the model's devices; None without one.

    Raises:
        UserError, Cancelled: As `Projector`.
    """
    path = projector_of(settings)
    if path is None:
        return None
    device = model.devices[0] if model.devices else None
    return Projector(path, model.handle, device, thread_counts(settings)[1], progress)


def shares_now(devices: Sequence[Device], projector: Path | None) -> tuple[int, ...]:
    """What a layer split without a ratio divides by: what is free, with room for a projector.

    Empty where a device does not tell: llama.cpp has a guess for that.
    """
    free_bytes = [device.free_now_bytes() for device in devices]
    known = [size for size in free_bytes if size is not None]
    taken_bytes = weights_bytes(projector) if projector else 0
    return shares_of(known, taken_bytes=taken_bytes) if len(known) == len(devices) else ()


def foreign(path: Path, theirs: int, ours: int) -> UserError:
    """The sentence for a projector that was made for another model."""
    return UserError("engine.projector_foreign", path=str(path), theirs=theirs, ours=ours)


def refused(path: Path) -> UserError:
    """Why llama.cpp did not take a projector, by its log."""
    complaints = log_sink.complaints() or ["no reason was given"]
    # "clip_init: failed to load model 'x': load_hparams: unknown projector type: y"
    reason = _NAMES.sub("", complaints[0].split("': ", 1)[-1])
    mismatch = next((line for line in complaints if "mismatch between text model" in line), "")
    if mismatch:
        ours, theirs = (int(part.split(")")[0]) for part in mismatch.split("n_embd = ")[1:3])
        return foreign(path, theirs, ours)
    return UserError(
        "engine.projector_refused", detail="\n".join(complaints), path=str(path), reason=reason
    )


def _account(path: Path, device: Device | None) -> dict[str, int]:
    """What a load took: the weights by the file, scratch space by the log."""
    home = (device or cpu_device()).info.id
    taken = {home: weights_bytes(path)}
    for row in rows_from_log(_last_graphs()):
        place = "cpu" if row.is_host else home
        taken[place] = taken.get(place, 0) + row.compute_bytes
    return taken


def _last_graphs() -> list[str]:
    """The log without graphs that were tried with flash attention first, where it has none."""
    kept: list[str] = []
    begun = 0
    for line in log_sink.lines():
        if "warmup with" in line.text:
            begun = len(kept)
        if "flash attention not supported by" in line.text:
            del kept[begun:]
        kept.append(line.text)
    return kept


def _has_room(device: Device, path: Path, beside_bytes: int) -> bool:
    """Whether the weights fit with some room, where the device says what it has free."""
    free_bytes = device.free_now_bytes()
    return free_bytes is None or free_bytes >= path.stat().st_size + beside_bytes


@cache
def _mtmd() -> ModuleType:
    api()
    try:
        import llama_cpp.mtmd_cpp as loaded
    except (ImportError, OSError, RuntimeError) as error:
        # Some builds leave this library out, and importing its module loads it.
        raise UserError("engine.no_projectors", detail=str(error)) from error

    send_logs(loaded.mtmd_log_set)
    return loaded


def _can_measure() -> bool:
    library = _mtmd()._libmtmd
    known = (hasattr(library, name) for name in (_INIT, _EMBEDDING, _USAGE, _FREE))
    return sys.platform == "linux" and all(known)


def _native(name: str, result: Any, *arguments: Any) -> Any:  # noqa: ANN401
    function = getattr(_mtmd()._libmtmd, name)
    function.restype = result
    function.argtypes = list(arguments)
    return function
