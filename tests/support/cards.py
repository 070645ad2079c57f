"""A driver with one card of 24 GiB on which processes hold memory, in the shape of pynvml."""

from __future__ import annotations

from types import SimpleNamespace

from engine.telemetry import NvmlGate
from tests.engine.test_telemetry_nvml import Driver

MIB = 1024**2
GIB = 1024**3
CARD = "0000:01:00.0"
TOTAL_BYTES = 24 * GIB


class Card(Driver):
    """One card; `held` is what each process holds of it.

    Attributes:
        held: Bytes by process id.
        hides: The driver does not tell whose memory it is, as inside a container.
    """

    def __init__(self, *, hides: bool = False) -> None:
        super().__init__()
        self.held: dict[int, int] = {}
        self.hides = hides

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int | None = None) -> SimpleNamespace:
        used = sum(self.held.values())
        return SimpleNamespace(used=used, reserved=0, free=TOTAL_BYTES - used, total=TOTAL_BYTES)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        shown = {pid: None if self.hides else size for pid, size in self.held.items()}
        return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in shown.items()]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return []

    @property
    def gate(self) -> NvmlGate:
        """A gate to this driver."""
        return NvmlGate(self)
