"""The sampler thread: reads all instruments 2 to 10 times a second and keeps their history."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from engine.telemetry.gpus import GpuReader
from engine.telemetry.host import HostReader
from engine.telemetry.metrics import values_of
from engine.telemetry.nvml import NvmlGate
from engine.telemetry.rings import Rings
from engine.telemetry.snapshot import GpuSnapshot, HostSnapshot, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.errors import Problem

_log = logging.getLogger(__name__)

MIN_HZ = 1.0
MAX_HZ = 10.0
# Ten minutes at the fastest rate.
DEFAULT_CAPACITY = 6000


class GpuSource(Protocol):
    """Where GPU figures come from."""

    def read(self, own_pids: frozenset[int], *, all_slow: bool = False) -> tuple[GpuSnapshot, ...]:
        """One reading of every GPU."""

    def problem(self) -> Problem | None:
        """Why there are none, or None."""


class HostSource(Protocol):
    """Where RAM and CPU figures come from."""

    def read(self, own_pids: frozenset[int]) -> HostSnapshot:
        """One reading."""


class Sampler:
    """Owns one daemon thread that publishes `Snapshot`s and fills `rings`.

    All methods may be called from any thread. `latest` never waits for NVML. `on_snapshot` is
    called on the sampler's thread. While paused nothing is read, and the rings get a gap.
    """

    def __init__(
        self,
        *,
        hz: float = 4.0,
        gpus: GpuSource | None = None,
        host: HostSource | None = None,
        capacity: int = DEFAULT_CAPACITY,
        on_snapshot: Callable[[Snapshot], None] | None = None,
    ) -> None:
        self.rings = Rings(capacity)
        self._gpus = gpus or GpuReader(NvmlGate())
        self._host = host or HostReader()
        self._on_snapshot = on_snapshot
        self._own_pids: frozenset[int] = frozenset()
        self._latest: Snapshot | None = None
        self._number = 0
        self._wake = threading.Condition()
        self._paused = False
        self._thread: threading.Thread | None = None
        self._interval_s = 1.0
        self.set_rate(hz)

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot, None before the first."""
        return self._latest

    def set_rate(self, hz: float) -> None:
        """Samples per second, kept within what the instruments can give."""
        with self._wake:
            self._interval_s = 1.0 / min(max(hz, MIN_HZ), MAX_HZ)
            self._wake.notify_all()

    def set_own_pids(self, pids: Iterable[int]) -> None:
        """The worker's and planner's process ids; the app's own is always counted."""
        self._own_pids = frozenset(pids)

    def start(self) -> None:
        """Start sampling; a second call does nothing."""
        with self._wake:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the thread; False when it is stuck in a driver call and was left behind."""
        with self._wake:
            thread, self._thread = self._thread, None
            self._wake.notify_all()
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        with self._wake:
            self._paused = True
            self._wake.notify_all()

    def resume(self) -> None:
        """Go on at once."""
        with self._wake:
            self._paused = False
            self._wake.notify_all()

    def sample(self, *, all_slow: bool = False) -> Snapshot:
        """Take one snapshot on the calling thread; for use without `start`."""
        own_pids = self._own_pids
        time_s = time.monotonic()
        gpus = self._gpus.read(own_pids, all_slow=all_slow)
        self._number += 1
        snapshot = Snapshot(
            number=self._number,
            host=self._host.read(own_pids),
            gpus=gpus,
            gpu_problem=None if gpus else self._gpus.problem(),
        )
        self.rings.append(time_s, values_of(snapshot))
        self._latest = snapshot
        return snapshot

    def _run(self) -> None:
        due_s = time.monotonic()
        while self._wait_until(due_s):
            started_s = time.monotonic()
            self._sample_and_tell()
            # A late sample is not made up for: the next comes one interval after this one began.
            due_s = started_s + self._interval_s

    def _sample_and_tell(self) -> None:
        try:
            snapshot = self.sample()
            if self._on_snapshot is not None:
                self._on_snapshot(snapshot)
        except Exception:  # noqa: BLE001
            # A dead thread would freeze every gauge at its last value; a logged gap does not.
            _log.exception("a sample failed")
            self.rings.gap(time.monotonic())

    def _wait_until(self, due_s: float) -> bool:
        """Sleep until the next sample is due; False when the thread has to end."""
        with self._wake:
            while self._is_current():
                if self._paused:
                    self.rings.gap(time.monotonic())
                    self._wake.wait_for(lambda: not (self._paused and self._is_current()))
                    due_s = 0.0
                    continue
                left_s = due_s - time.monotonic()
                if left_s <= 0:
                    return True
                self._wake.wait(left_s)
            return False

    def _is_current(self) -> bool:
        # A thread left behind in a driver call must not go on beside its successor.
        return self._thread is threading.current_thread()
