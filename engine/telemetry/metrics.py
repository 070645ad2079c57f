"""The metrics that have a history: one declared row each; rings, plots and tooltips read them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from engine.telemetry.snapshot import GpuSnapshot, HostSnapshot, Snapshot


class Scope(StrEnum):
    """What a metric belongs to."""

    HOST = "host"
    GPU = "gpu"


class Unit(StrEnum):
    """The unit of a metric's values."""

    BYTES = "B"
    BYTES_PER_S = "B/s"
    PERCENT = "%"
    WATT = "W"
    CELSIUS = "°C"


class Metric(msgspec.Struct, frozen=True):
    """One figure over time.

    Attributes:
        attribute: Field of `GpuSnapshot` or `HostSnapshot` it is read from.
    """

    attribute: str
    scope: Scope
    label: str
    unit: Unit


METRICS: tuple[Metric, ...] = (
    Metric("ram_used_bytes", Scope.HOST, "RAM used", Unit.BYTES),
    Metric("own_rss_bytes", Scope.HOST, "RAM of this app", Unit.BYTES),
    Metric("cpu_percent", Scope.HOST, "CPU", Unit.PERCENT),
    Metric("vram_used_bytes", Scope.GPU, "VRAM used", Unit.BYTES),
    Metric("own_vram_bytes", Scope.GPU, "VRAM of this app", Unit.BYTES),
    Metric("utilization_percent", Scope.GPU, "Utilization", Unit.PERCENT),
    Metric("memory_utilization_percent", Scope.GPU, "Memory bandwidth", Unit.PERCENT),
    Metric("power_w", Scope.GPU, "Power", Unit.WATT),
    Metric("temperature_c", Scope.GPU, "Temperature", Unit.CELSIUS),
    Metric("pcie_rx_bytes_per_s", Scope.GPU, "PCIe received", Unit.BYTES_PER_S),
    Metric("pcie_tx_bytes_per_s", Scope.GPU, "PCIe sent", Unit.BYTES_PER_S),
)


def series_key(attribute: str, gpu_uuid: str = "") -> str:
    """The name of a metric's series in the rings, e.g. ``"power_w@GPU-1f2e…"``."""
    return f"{attribute}@{gpu_uuid}" if gpu_uuid else attribute


def values_of(snapshot: Snapshot) -> dict[str, float | None]:
    """All metrics of a snapshot by series key."""
    values: dict[str, float | None] = {}
    for metric in METRICS:
        if metric.scope is Scope.HOST:
            values[series_key(metric.attribute)] = _read(snapshot.host, metric)
            continue
        for gpu in snapshot.gpus:
            values[series_key(metric.attribute, gpu.uuid)] = _read(gpu, metric)
    return values


def _read(part: GpuSnapshot | HostSnapshot, metric: Metric) -> float | None:
    value: float | None = getattr(part, metric.attribute)
    return value
