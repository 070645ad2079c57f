"""RAM and CPU through psutil, and the memory of this app's own processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil

from engine.telemetry.snapshot import HostSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable


class HostReader:
    """Reads the machine's RAM and CPU. Used by one thread at a time (the sampler's)."""

    def __init__(self) -> None:
        self._processes: dict[int, psutil.Process] = {}
        self._cpu_primed = False

    def read(self, own_pids: Iterable[int]) -> HostSnapshot:
        """One reading; `own_pids` are the worker's and planner's, the app's own is added."""
        used_bytes = total_bytes = None
        try:
            memory = psutil.virtual_memory()
            used_bytes, total_bytes = memory.total - memory.available, memory.total
        except (OSError, psutil.Error):
            pass
        return HostSnapshot(
            ram_used_bytes=used_bytes,
            ram_total_bytes=total_bytes,
            cpu_percent=self._cpu_percent(),
            own_rss_bytes=self._rss_bytes({os.getpid(), *own_pids}),
        )

    def _cpu_percent(self) -> float | None:
        try:
            percent = psutil.cpu_percent(interval=None)
        except (OSError, psutil.Error):
            return None
        # The first call has nothing to compare with and answers a meaningless 0.
        primed, self._cpu_primed = self._cpu_primed, True
        return percent if primed else None

    def _rss_bytes(self, pids: set[int]) -> int | None:
        for gone in self._processes.keys() - pids:
            del self._processes[gone]
        sum_bytes = 0
        for pid in pids:
            try:
                process = self._processes.get(pid)
                if process is None:
                    process = self._processes[pid] = psutil.Process(pid)
                sum_bytes += process.memory_info().rss
            except psutil.NoSuchProcess:
                self._processes.pop(pid, None)
            except (OSError, psutil.Error):
                return None
        return sum_bytes
