"""How many CPU threads to use when the settings leave it open, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from engine.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """A number of threads and where it comes from, in words."""

    count: int
    reason: str


def default_threads() -> ThreadChoice:
    """One thread per physical core that this process may use.

    Two threads on one core share its arithmetic units and only get in each other's way.
    """
    physical = psutil.cpu_count(logical=False) or 0
    logical = psutil.cpu_count(logical=True) or 1
    choice = physical or max(1, logical // 2)
    reason = (
        f"{choice} physical cores"
        if physical
        else f"{choice}: half of {logical} logical processors"
    )
    allowed = _allowed_cores(logical, choice)
    if allowed < choice:
        choice, reason = allowed, f"{allowed} of {choice} cores, as this process is pinned"
    quota = _quota_cores()
    if quota is not None and quota < choice:
        choice, reason = (
            max(1, quota),
            f"{max(1, quota)} of {choice} cores, as the container allows",
        )
    return ThreadChoice(choice, reason)


def thread_counts(settings: EngineSettings) -> tuple[int, int]:
    """Threads for writing and for reading that settings come to on this machine."""
    default = default_threads().count
    return settings.n_threads or default, settings.n_threads_batch or default


def _allowed_cores(logical: int, physical: int) -> int:
    if not hasattr(os, "sched_getaffinity"):
        return physical
    allowed = len(os.sched_getaffinity(0))
    # Pinned to both halves of each core, say 8 of 16: that is 4 cores.
    return max(1, allowed * physical // logical) if allowed < logical else physical


def _quota_cores() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else round(int(quota) / int(period))
    except (OSError, ValueError):
        return None
