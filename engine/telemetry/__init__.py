"""Instruments of the machine: GPU figures from NVML, RAM and CPU from psutil, one sampler thread.

Nothing here passes through the worker, so that gauges survive a load, a hang and a crash. A figure
that cannot be read is None in a snapshot and NaN in a ring, never 0.
"""

from engine.telemetry.gpus import GpuReader
from engine.telemetry.host import HostReader
from engine.telemetry.metrics import METRICS, Metric, Scope, Unit, series_key
from engine.telemetry.nvml import NvmlGate
from engine.telemetry.rings import Rings
from engine.telemetry.sampler import Sampler
from engine.telemetry.snapshot import GpuSnapshot, HostSnapshot, Snapshot

__all__ = [
    "METRICS",
    "GpuReader",
    "GpuSnapshot",
    "HostReader",
    "HostSnapshot",
    "Metric",
    "NvmlGate",
    "Rings",
    "Sampler",
    "Scope",
    "Snapshot",
    "Unit",
    "series_key",
]
