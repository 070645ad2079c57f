"""The devices llama.cpp can compute on, and the explicit list a model is loaded with.

A device is asked for by PCI id, by name, by RPC address, or as ``cpu``; llama.cpp is never left to
take "all of them", which would include integrated GPUs and one card through two backends.
"""

from __future__ import annotations

import ctypes
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from engine.errors import UserError
from engine.llama.library import ggml, has_ggml
from engine.remote.greeting import address_of, greet, knock
from engine.worker.protocol import DeviceInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind: TypeAlias = Literal["cpu", "gpu", "igpu", "accel", "rpc"]

_KINDS: dict[int, Kind] = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}
_PCI_ID = re.compile(r"^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])$")
# A plan asks for its devices several times, and a drag for many plans.
_RPC_TRUSTED_S = 0.2


class _Props(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("caps", ctypes.c_bool * 5),
    )


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this process: ggml's handle and what is known about it."""

    handle: int
    info: DeviceInfo

    def free_now_bytes(self) -> int | None:
        """What it has free at this moment; None where it does not tell."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ask = ggml("ggml_backend_dev_memory", None, *(ctypes.c_void_p,) * 3)
        ask(self.handle, ctypes.addressof(free), ctypes.addressof(total))
        return free.value if total.value else None


class Devices:
    """All devices of this process; remote ones are added when they are first asked for.

    Owned by the engine, on its main thread.
    """

    def __init__(self) -> None:
        self._remote: dict[str, tuple[int, ...]] = {}
        self._answered_s: dict[str, float] = {}

    def all(self) -> tuple[Device, ...]:
        """Every device: local ones in llama.cpp's order, then remote ones."""
        return tuple(
            [_device(handle) for handle in _local_handles()]
            + [
                _device(handle, address)
                for address, handles in self._remote.items()
                for handle in handles
            ]
        )

    def chosen(self, wanted: Sequence[str]) -> list[Device]:
        """The devices to hold a model; an empty list computes on the CPU alone.

        Raises:
            UserError: ``engine.device_not_found`` or one about a remote device.
        """
        if not wanted:
            return _every_gpu(self.all())
        found: list[Device] = []
        for name in wanted:
            if name.strip().lower() not in ("", "cpu"):
                found += self._named(name.strip(), found)
        return found

    def _named(self, name: str, taken: list[Device]) -> list[Device]:
        address = address_of(name)
        if address is not None:
            return self._on(address)
        # Virtual CUDA devices share the card's PCI id: the same id twice means the next one.
        free = {device.handle for device in taken}
        for device in self.all():
            if device.handle not in free and _answers_to(device.info, name):
                return [device]
        names = ", ".join(device.info.name for device in self.all())
        raise UserError("engine.device_not_found", name=name, available=names)

    def _on(self, address: str) -> list[Device]:
        # ggml aborts the process when nobody answers, so ask first, each time.
        if address not in self._remote:
            if not has_ggml("ggml_backend_rpc_add_server"):
                raise UserError("engine.rpc_missing")
            greet(address)
            self._remote[address] = _remote_handles(address)
        elif time.monotonic() - self._answered_s[address] > _RPC_TRUSTED_S:
            knock(address)
        self._answered_s[address] = time.monotonic()
        return [_device(handle, address) for handle in self._remote[address]]


def cpu_device() -> Device:
    """The CPU; every build has it."""
    for handle in _local_handles():
        device = _device(handle)
        if device.info.kind == "cpu":
            return device
    raise LookupError("this llama.cpp has no CPU backend")


def _local_handles() -> Iterator[int]:
    count = ggml("ggml_backend_dev_count", ctypes.c_size_t)()
    get = ggml("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    yield from (get(index) for index in range(count))


def _remote_handles(address: str) -> tuple[int, ...]:
    add = ggml("ggml_backend_rpc_add_server", ctypes.c_void_p, ctypes.c_char_p)
    count = ggml("ggml_backend_reg_dev_count", ctypes.c_size_t, ctypes.c_void_p)
    get = ggml("ggml_backend_reg_dev_get", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    registry = add(address.encode())
    if not registry:
        raise UserError("engine.rpc_no_devices", address=address)
    return tuple(get(registry, index) for index in range(count(registry)))


def _device(handle: int, address: str = "") -> Device:
    props = _Props()
    ggml("ggml_backend_dev_get_props", None, ctypes.c_void_p, ctypes.POINTER(_Props))(
        handle, ctypes.byref(props)
    )
    name = (props.name or b"").decode("utf-8", "replace")
    registry = ggml("ggml_backend_dev_backend_reg", ctypes.c_void_p, ctypes.c_void_p)(handle)
    backend = ggml("ggml_backend_reg_name", ctypes.c_char_p, ctypes.c_void_p)(registry)
    kind: Kind = "rpc" if address else _KINDS.get(props.type, "accel")
    device_id = (props.device_id or b"").decode()
    info = DeviceInfo(
        name=name,
        id=address or device_id or ("cpu" if kind == "cpu" else name),
        description=(props.description or b"").decode("utf-8", "replace"),
        backend=(backend or b"").decode(),
        kind=kind,
        # ggml reports 0 of 0 where it does not know.
        free_bytes=props.memory_free if props.memory_total else None,
        total_bytes=props.memory_total or None,
    )
    return Device(handle, info)


def _every_gpu(devices: Sequence[Device]) -> list[Device]:
    for kind in ("gpu", "igpu"):
        chosen: list[Device] = []
        for device in devices:
            if device.info.kind == kind and not _is_same_card(device.info, chosen):
                chosen.append(device)
        if chosen:
            return chosen
    return []


def _is_same_card(info: DeviceInfo, chosen: Sequence[Device]) -> bool:
    # One card through CUDA and through Vulkan is one card; two of one backend are two devices.
    return any(other.info.id == info.id and other.info.backend != info.backend for other in chosen)


def _answers_to(info: DeviceInfo, name: str) -> bool:
    lowered = name.lower()
    return lowered in (info.name.lower(), info.id.lower()) or (
        _pci(lowered) is not None and _pci(lowered) == _pci(info.id.lower())
    )


def _pci(text: str) -> tuple[int, str] | None:
    # NVML writes the domain with eight digits, ggml with four.
    match = _PCI_ID.match(text)
    return (int(match.group(1) or "0", 16), match.group(2)) if match else None
