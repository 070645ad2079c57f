"""What the instruments read at one moment, as immutable data that any thread may hold."""

from __future__ import annotations

import msgspec

from engine.errors import Problem


class GpuSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. Every figure is None when it cannot be read.

    Attributes:
        uuid: NVML's UUID; the name of the GPU in rings and settings.
        pci_id: ``domain:bus:device.function`` in lower case with a four-digit domain, the form
            llama.cpp gives its devices.
        index: NVML's index, which is not the index CUDA uses.
        lost: The GPU was there and no longer answers; its figures are gaps.
        vram_used_bytes: What all programs use, as nvidia-smi shows it.
        vram_reserved_bytes: What the driver keeps: total = used + reserved + free.
        own_vram_bytes: The part held by this app's processes; None where the system hides it.
        memory_utilization_percent: Share of time in which memory was read or written.
    """

    uuid: str
    pci_id: str
    name: str
    index: int
    lost: bool = False
    vram_used_bytes: int | None = None
    vram_free_bytes: int | None = None
    vram_reserved_bytes: int | None = None
    vram_total_bytes: int | None = None
    own_vram_bytes: int | None = None
    utilization_percent: float | None = None
    memory_utilization_percent: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: float | None = None
    pcie_rx_bytes_per_s: float | None = None
    pcie_tx_bytes_per_s: float | None = None
    pcie_generation: int | None = None
    pcie_width: int | None = None

    @property
    def problem(self) -> Problem | None:
        """The sentence for a lost GPU, or None."""
        if not self.lost:
            return None
        return Problem(code="telemetry.gpu_lost", params={"name": self.name, "pci": self.pci_id})


class HostSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """RAM and CPU.

    Attributes:
        ram_used_bytes: Total less what the system could give to a program at once.
        cpu_percent: Of all cores together, since the sample before; None in the first one.
        own_rss_bytes: Resident memory of the app and its processes. A mapped model file counts
            as far as its pages are in memory.
    """

    ram_used_bytes: int | None = None
    ram_total_bytes: int | None = None
    cpu_percent: float | None = None
    own_rss_bytes: int | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the instruments read at one moment.

    Attributes:
        number: Counts up by one with each snapshot of a sampler.
        gpu_problem: Why there are no GPU figures at all, or None.
    """

    number: int
    host: HostSnapshot
    gpus: tuple[GpuSnapshot, ...] = ()
    gpu_problem: Problem | None = None
