"""What this machine's devices have free for a load, as the planner process sees it.

The planner itself holds a little memory on each GPU it has asked (a CUDA context). That is added
back: it would not be there when the model is loaded.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import psutil

from engine.planning.facts import DeviceFacts
from engine.planning.plan import DevicePlan
from engine.telemetry.gpus import GpuReader
from engine.telemetry.nvml import NvmlGate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.planning.corrections import Corrections
    from engine.telemetry.snapshot import GpuSnapshot
    from engine.worker.protocol import DeviceInfo

_MIB = 1024 * 1024
# CUDA's pools abort when they cannot grow, so a plan leaves room for them; RAM can be reclaimed.
_RESERVE_BYTES = {"gpu": 512 * _MIB, "igpu": 512 * _MIB, "rpc": 256 * _MIB}
_HOST_RESERVE_BYTES = 512 * _MIB
# One question makes dozens of dry runs, which are to be held against the same memory.
_FRESH_S = 0.2


class Machine:
    """Turns llama.cpp's device list into what a plan counts with. Owned by the planner.

    Make it before llama.cpp is loaded: what the planner takes is the difference to then.
    """

    def __init__(self, corrections: Corrections, gate: NvmlGate | None = None) -> None:
        self._corrections = corrections
        self._gate = gate or NvmlGate()
        self._reader = GpuReader(self._gate)
        self._read: dict[int, tuple[float, tuple[GpuSnapshot, ...]]] = {}
        self._before = {gpu.pci_id: gpu.vram_free_bytes for gpu in self._snapshots()}
        # The next reading must see what the planner has taken since, however soon it comes.
        self._read.clear()
        self._own: dict[str, int] = {}

    def facts(self, infos: Sequence[DeviceInfo], *, worker_pid: int = 0) -> tuple[DeviceFacts, ...]:
        """The devices with what they have free.

        The planner's own part is added back, and where the driver tells whose memory it is, that
        of the worker as well: its context stays when it loads another model.
        """
        gpus = {gpu.pci_id: gpu for gpu in self._snapshots()}
        engine: dict[str, int | None] = {}
        if worker_pid:
            engine = {gpu.pci_id: gpu.own_vram_bytes for gpu in self._snapshots(worker_pid)}
        sharing: dict[str, int] = {}
        devices = [DeviceFacts.of(info) for info in infos]
        for device in devices:
            sharing[device.card] = sharing.get(device.card, 0) + 1
        return tuple(
            self._one(device, gpus.get(device.card), engine.get(device.card), sharing[device.card])
            for device in devices
        )

    def places(
        self,
        devices: Sequence[DeviceFacts],
        build: str,
        released: Mapping[str, int],
        *,
        tensor: bool = False,
    ) -> tuple[DevicePlan, ...]:
        """The devices as empty places of a plan; `tensor` in a tensor split."""
        left = dict(released)
        on_card = Counter(device.card for device in devices)
        places = []
        for device in devices:
            # Virtual devices of one card share its context, which is counted once; a node's
            # devices each have their own.
            sharing = 1 if device.kind == "rpc" else on_card.pop(device.card, 0)
            given_back = left.pop(device.id, 0)
            place = self._place(device, 0 if device.counts_engine else given_back)
            places.append(
                msgspec.structs.replace(
                    place,
                    runtime_bytes=self._runtime_bytes(device, build, sharing, tensor=tensor),
                    pool_bytes=self._corrections.pool_bytes(
                        device.uuid or device.card, build, device.backend, tensor=tensor
                    ),
                )
            )
        return tuple(places)

    def _runtime_bytes(self, device: DeviceFacts, build: str, sharing: int, *, tensor: bool) -> int:
        if not sharing:
            return 0
        return self._corrections.runtime_bytes(
            device.uuid or device.card, build, device.backend, tensor=tensor, devices=sharing
        )

    def host(self, worker_pid: int = 0) -> DevicePlan:
        """The machine's RAM as an empty place; what the worker holds counts as free."""
        memory = psutil.virtual_memory()
        free_bytes = min(memory.total, memory.available + _private_bytes(worker_pid))
        return DevicePlan(
            name="RAM",
            id="cpu",
            description="RAM",
            kind="cpu",
            free_bytes=free_bytes,
            total_bytes=memory.total,
            other_bytes=max(0, memory.total - free_bytes),
            reserve_bytes=_HOST_RESERVE_BYTES,
        )

    def _snapshots(self, pid: int = 0) -> tuple[GpuSnapshot, ...]:
        """The cards, with what a process holds of them; the planner itself by default."""
        read_s, snapshots = self._read.get(pid, (-math.inf, ()))
        if time.monotonic() - read_s > _FRESH_S:
            pids = (pid or os.getpid(),)
            # The width of the bus is read once: it takes forty milliseconds.
            known = {"memory_alone": True} if self._read else {"all_slow": True}
            snapshots = self._reader.read(pids, **known) if self._gate.available() else ()
            self._read[pid] = time.monotonic(), snapshots
        return snapshots

    def _one(
        self, device: DeviceFacts, gpu: GpuSnapshot | None, engine_bytes: int | None, sharing: int
    ) -> DeviceFacts:
        if device.kind == "rpc":
            return device
        free_bytes, total_bytes = device.free_bytes, device.total_bytes
        if gpu is not None and gpu.vram_free_bytes is not None:
            free_bytes = gpu.vram_free_bytes + self._own_bytes(gpu) + (engine_bytes or 0)
            total_bytes = gpu.vram_total_bytes or total_bytes
        elif free_bytes is not None:
            # Without NVML: llama.cpp's figure is taken with this process's context in place.
            free_bytes += self._corrections.runtime_bytes(device.id, "", device.backend)
        return msgspec.structs.replace(
            device,
            free_bytes=None if free_bytes is None else free_bytes // sharing,
            total_bytes=None if total_bytes is None else total_bytes // sharing,
            pcie_width=gpu.pcie_width if gpu else None,
            uuid=gpu.uuid if gpu else "",
            counts_engine=engine_bytes is not None,
        )

    def _own_bytes(self, gpu: GpuSnapshot) -> int:
        """What this process holds on a card."""
        if gpu.own_vram_bytes is not None:
            return gpu.own_vram_bytes
        # The system hides whose memory it is: the first drop after the start is taken as ours.
        before, now = self._before.get(gpu.pci_id), gpu.vram_free_bytes
        if gpu.pci_id not in self._own and before is not None and now is not None:
            self._own[gpu.pci_id] = max(0, before - now)
        return self._own.get(gpu.pci_id, 0)

    def _place(self, device: DeviceFacts, released_bytes: int) -> DevicePlan:
        free_bytes = device.free_bytes
        if free_bytes is not None:
            free_bytes += released_bytes
            if device.total_bytes is not None:
                free_bytes = min(free_bytes, device.total_bytes)
        known = free_bytes is not None and device.total_bytes is not None
        return DevicePlan(
            name=device.name,
            id=device.id,
            description=device.description,
            kind=device.kind,
            free_bytes=free_bytes,
            total_bytes=device.total_bytes,
            other_bytes=(device.total_bytes or 0) - (free_bytes or 0) if known else None,
            reserve_bytes=_RESERVE_BYTES.get(device.kind, 0),
            imagined=device.imagined,
        )


def _private_bytes(pid: int) -> int:
    """RAM that a process would give back; pages of mapped files count as available already."""
    if not pid:
        return 0
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))
