"""Reads all GPUs through the gate: which there are, which were lost, and their figures."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import Problem
from engine.telemetry.nvml import GpuLostError, NvmlGate
from engine.telemetry.snapshot import GpuSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_LOOK_AGAIN_S = 5.0
# The inode number Linux gives the first PID namespace (PROC_PID_INIT_INO).
_FIRST_PID_NAMESPACE = "pid:[4026531836]"

_PERCENT = 100.0


class _Device:
    """A GPU that was seen: its identity, its handle while it answers, its slow figures."""

    def __init__(self, identity: GpuSnapshot, handle: Any) -> None:  # noqa: ANN401
        self.identity = identity
        self.handle = handle
        self.lost = False
        self.pcie: dict[str, float | int | None] = {}


class GpuReader:
    """Turns NVML's answers into `GpuSnapshot`s. Used by one thread at a time (the sampler's).

    A GPU once seen stays in the list: when it no longer answers it is marked lost, and it is
    looked for again every few seconds.
    """

    def __init__(self, gate: NvmlGate) -> None:
        self._gate = gate
        self._devices: dict[str, _Device] = {}
        self._generation = 0
        self._next_look_s = 0.0
        self._turn = 0

    def problem(self) -> Problem | None:
        """Why there are no GPU figures at all, or None."""
        if self._gate.available():
            return None
        return Problem(code="telemetry.no_driver")

    def read(
        self, own_pids: Collection[int], *, all_slow: bool = False, memory_alone: bool = False
    ) -> tuple[GpuSnapshot, ...]:
        """One reading of every GPU, in NVML's order.

        Args:
            own_pids: Processes whose VRAM counts as this app's own.
            all_slow: Read PCIe traffic of all GPUs now. NVML measures it over 20 ms per direction,
                so that otherwise one GPU has its turn per reading and the others keep their last.
            memory_alone: Leave PCIe as it was last read: some milliseconds instead of forty.
        """
        self._look_for_devices()
        devices = sorted(self._devices.values(), key=lambda device: device.identity.index)
        self._turn += 1
        turn = None if memory_alone else self._turn % max(1, len(devices))
        return tuple(
            self._read_one(device, own_pids, slow=all_slow or turn == place)
            for place, device in enumerate(devices)
        )

    def _look_for_devices(self) -> None:
        if not self._gate.available():
            for device in self._devices.values():
                device.lost = True
            return
        now_s = time.monotonic()
        if self._gate.generation == self._generation and now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_AGAIN_S
        self._generation = self._gate.generation
        seen = {uuid for uuid in map(self._look_at, range(self._count())) if uuid}
        for uuid in self._devices.keys() - seen:
            self._devices[uuid].lost = True

    def _count(self) -> int:
        try:
            return int(self._gate.call("nvmlDeviceGetCount") or 0)
        except GpuLostError:
            return 0

    def _look_at(self, index: int) -> str | None:
        try:
            handle = self._gate.call("nvmlDeviceGetHandleByIndex", index)
            if handle is None:
                return None
            uuid = _text(self._gate.call("nvmlDeviceGetUUID", handle))
            pci_id = _pci_id(self._gate.call("nvmlDeviceGetPciInfo", handle))
            name = _text(self._gate.call("nvmlDeviceGetName", handle))
        except GpuLostError:
            return None
        uuid = uuid or pci_id or f"nvml-{index}"
        identity = GpuSnapshot(uuid=uuid, pci_id=pci_id, name=name or "GPU", index=index)
        self._devices[uuid] = _Device(identity, handle)
        return uuid

    def _read_one(self, device: _Device, own_pids: Collection[int], *, slow: bool) -> GpuSnapshot:
        if not device.lost:
            try:
                if slow:
                    device.pcie = self._pcie(device.handle)
                figures = self._figures(device.handle, own_pids)
                return msgspec.structs.replace(device.identity, **figures, **device.pcie)
            except GpuLostError:
                device.lost = True
                device.pcie = {}
        return msgspec.structs.replace(device.identity, lost=True)

    def _figures(self, handle: Any, own_pids: Collection[int]) -> dict[str, Any]:  # noqa: ANN401
        ask = self._asker(handle)
        utilization = ask("nvmlDeviceGetUtilizationRates")
        sensor = self._gate.constant("NVML_TEMPERATURE_GPU")
        return {
            **self._vram(handle),
            "own_vram_bytes": self._own_vram_bytes(handle, own_pids),
            "utilization_percent": _field(utilization, "gpu"),
            "memory_utilization_percent": _field(utilization, "memory"),
            "power_w": _scaled(ask("nvmlDeviceGetPowerUsage"), 1 / 1000),
            "power_limit_w": _scaled(ask("nvmlDeviceGetEnforcedPowerLimit"), 1 / 1000),
            "temperature_c": _scaled(ask("nvmlDeviceGetTemperature", sensor), 1.0),
        }

    def _vram(self, handle: Any) -> dict[str, int | None]:  # noqa: ANN401
        # Version 2 tells the driver's reserve apart, as nvidia-smi does; old drivers lack it.
        memory = self._gate.call(
            "nvmlDeviceGetMemoryInfo", handle, self._gate.constant("nvmlMemory_v2")
        ) or self._gate.call("nvmlDeviceGetMemoryInfo", handle)
        return {
            f"vram_{part}_bytes": getattr(memory, part, None)
            for part in ("used", "free", "reserved", "total")
        }

    def _pcie(self, handle: Any) -> dict[str, float | int | None]:  # noqa: ANN401
        ask = self._asker(handle)
        received = self._gate.constant("NVML_PCIE_UTIL_RX_BYTES")
        sent = self._gate.constant("NVML_PCIE_UTIL_TX_BYTES")
        # NVML counts these in KB/s of 1000 bytes.
        return {
            "pcie_rx_bytes_per_s": _scaled(ask("nvmlDeviceGetPcieThroughput", received), 1000.0),
            "pcie_tx_bytes_per_s": _scaled(ask("nvmlDeviceGetPcieThroughput", sent), 1000.0),
            "pcie_generation": ask("nvmlDeviceGetCurrPcieLinkGeneration"),
            "pcie_width": ask("nvmlDeviceGetCurrPcieLinkWidth"),
        }

    def _own_vram_bytes(self, handle: Any, own_pids: Collection[int]) -> int | None:  # noqa: ANN401
        if not own_pids:
            return 0
        lists = [
            self._gate.call(f"nvmlDeviceGet{kind}RunningProcesses", handle)
            for kind in ("Compute", "Graphics")
        ]
        if all(processes is None for processes in lists):
            return None
        held: dict[int, int | None] = {}
        for process in (process for processes in lists for process in processes or ()):
            if process.pid in own_pids:
                # A process that computes and draws is in both lists with the same figure.
                held[process.pid] = _larger(held.get(process.pid), process.usedGpuMemory)
        if not held:
            return 0 if _sees_all_pids() else None
        known = [used_bytes for used_bytes in held.values() if used_bytes is not None]
        return sum(known) if len(known) == len(held) else None

    def _asker(self, handle: Any) -> Callable[..., Any]:  # noqa: ANN401
        return lambda function, *rest: (
            None if None in rest else self._gate.call(function, handle, *rest)
        )


def _sees_all_pids() -> bool:
    """Whether NVML's process ids are ours: inside a container they are the host's."""
    namespace = Path("/proc/self/ns/pid")
    try:
        return os.readlink(namespace) == _FIRST_PID_NAMESPACE
    except OSError:
        return True


def _larger(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _field(rates: Any | None, name: str) -> float | None:  # noqa: ANN401
    value = getattr(rates, name, None)
    return float(value) if value is not None and 0 <= value <= _PERCENT else None


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""


def _pci_id(info: Any | None) -> str:  # noqa: ANN401
    """NVML writes ``00000000:01:00.0``; llama.cpp and lspci write ``0000:01:00.0``."""
    domain, colon, rest = _text(getattr(info, "busId", None)).lower().partition(":")
    return f"{domain[-4:]}{colon}{rest}"
