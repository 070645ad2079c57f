"""What the cards hold of the engine, read around a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.planning.truth import Readings

if TYPE_CHECKING:
    from engine.telemetry.gpus import GpuReader
    from engine.telemetry.snapshot import GpuSnapshot


class CardReadings:
    """Reads the cards before a load, after it and after a prompt. Main thread; some milliseconds.

    Where the driver tells whose memory it is, the engine's own counts and nothing else can blur
    it. Otherwise (in a container) it is the difference to before the load, in which the engine's
    context is already part of the first reading.

    Attributes:
        taken: The readings of the newest load.
    """

    def __init__(self, reader: GpuReader | None = None) -> None:
        self._reader = reader
        self.taken = Readings()

    def begin(self, worker_pid: int | None) -> None:
        """Read before a load; forgets the one before."""
        used: dict[str, int] = {}
        knows_whose = True
        for gpu in self._read(worker_pid):
            if gpu.own_vram_bytes is None:
                knows_whose = False
            if gpu.vram_used_bytes is not None:
                used[gpu.pci_id] = gpu.vram_used_bytes
        before = dict.fromkeys(used, 0) if knows_whose else used
        self.taken = Readings(before=before, is_difference=not knows_whose)

    def after_load(self, worker_pid: int | None) -> None:
        """Read after a load."""
        self.taken = msgspec.structs.replace(self.taken, after_load=self._held(worker_pid))

    def after_prefill(self, worker_pid: int | None) -> None:
        """Read after a prompt; without a reading after the load it says nothing."""
        if self.taken.after_load:
            held = self._held(worker_pid)
            self.taken = msgspec.structs.replace(self.taken, after_prefill=held)

    def used_bytes(self) -> dict[str, int]:
        """What each card holds now, of everybody's."""
        return {
            gpu.pci_id: gpu.vram_used_bytes
            for gpu in self._read(None)
            if gpu.vram_used_bytes is not None
        }

    def _held(self, worker_pid: int | None) -> dict[str, int]:
        held: dict[str, int] = {}
        for gpu in self._read(worker_pid):
            whose = gpu.vram_used_bytes if self.taken.is_difference else gpu.own_vram_bytes
            if whose is not None and gpu.pci_id in self.taken.before:
                held[gpu.pci_id] = whose
        return held

    def _read(self, worker_pid: int | None) -> tuple[GpuSnapshot, ...]:
        if self._reader is None:
            from engine.telemetry.gpus import GpuReader
            from engine.telemetry.nvml import NvmlGate

            self._reader = GpuReader(NvmlGate())
        return self._reader.read((worker_pid,) if worker_pid else (), memory_alone=True)
