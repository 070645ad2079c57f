"""The sampler thread on this machine's real RAM and CPU, and its command."""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from engine.telemetry import HostReader, HostSnapshot, Sampler, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# Nothing waits for it unless something is broken.
PATIENCE_S = 60.0


def _until(true: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    made = Sampler(hz=10)
    yield made
    assert made.stop(PATIENCE_S)
    assert not any(thread.name == "telemetry" for thread in threading.enumerate())


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    hold = "import sys; held = bytearray(64 << 20); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_first_cpu_figure_is_a_gap_and_ram_is_there_at_once() -> None:
    host = HostReader()
    first = host.read(())
    assert first.cpu_percent is None
    assert first.ram_total_bytes == psutil.virtual_memory().total
    time.sleep(0.05)
    second = host.read(())
    assert second.cpu_percent is not None
    assert 0.0 <= second.cpu_percent <= 100.0


def test_the_app_counts_its_processes_as_long_as_they_live(
    child: subprocess.Popen[bytes],
) -> None:
    host = HostReader()
    alone = host.read(()).own_rss_bytes
    together = host.read((child.pid,)).own_rss_bytes
    assert alone is not None
    assert together is not None
    assert together - alone > 60 << 20
    child.kill()
    child.wait()
    after = host.read((child.pid,)).own_rss_bytes
    assert after is not None
    assert after < together - (60 << 20)


def test_snapshots_come_at_the_rate_and_fill_the_rings(sampler: Sampler) -> None:
    assert sampler.latest is None
    sampler.start()
    sampler.start()
    _until(lambda: sampler.rings.rows >= 5)
    times_s, values = sampler.rings.read("ram_used_bytes")
    assert all(not math.isnan(value) for value in values)
    # A busy machine is late with some, and one that was late is followed sooner.
    gaps_s = [later - sooner for sooner, later in itertools.pairwise(times_s)]
    assert 0.05 < statistics.median(gaps_s) < 1.0
    assert sampler.latest is not None
    assert sampler.latest.number >= 5


def test_paused_reads_nothing_and_leaves_a_gap(sampler: Sampler) -> None:
    sampler.start()
    _until(lambda: sampler.rings.rows >= 2)
    sampler.pause()
    _until(lambda: math.isnan(sampler.rings.read("ram_used_bytes")[1][-1]))
    rows = sampler.rings.rows
    time.sleep(0.3)
    assert sampler.rings.rows == rows
    sampler.resume()
    _until(lambda: sampler.rings.rows > rows)
    assert not math.isnan(sampler.rings.read("ram_used_bytes")[1][-1])


def test_stop_ends_a_paused_thread_and_start_begins_again(sampler: Sampler) -> None:
    sampler.start()
    sampler.pause()
    assert sampler.stop(PATIENCE_S)
    sampler.resume()
    rows = sampler.rings.rows
    sampler.start()
    _until(lambda: sampler.rings.rows > rows)


def test_every_snapshot_is_told_on_the_samplers_thread() -> None:
    told: list[tuple[str, Snapshot]] = []
    sampler = Sampler(
        hz=10, on_snapshot=lambda shot: told.append((threading.current_thread().name, shot))
    )
    sampler.start()
    _until(lambda: len(told) >= 3)
    assert sampler.stop(PATIENCE_S)
    assert {name for name, _ in told} == {"telemetry"}
    assert [shot.number for _, shot in told] == list(range(1, len(told) + 1))


def test_a_failing_sample_is_a_gap_and_the_thread_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(HostReader):
        failures = 2

        def read(self, own_pids: object) -> HostSnapshot:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("on cue")
            return super().read(())

    sampler = Sampler(hz=10, host=Faulty())
    sampler.start()
    _until(lambda: sampler.latest is not None)
    assert sampler.stop(PATIENCE_S)
    values = sampler.rings.read("ram_used_bytes")[1]
    assert [math.isnan(value) for value in values[:3]] == [True, True, False]
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 2


def test_the_command_prints_one_snapshot() -> None:
    command = [sys.executable, "-m", "engine.telemetry", "--pids", str(os.getpid())]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    shot = json.loads(printed)
    assert shot["host"]["ram_total_bytes"] == psutil.virtual_memory().total
    assert shot["host"]["own_rss_bytes"] > psutil.Process().memory_info().rss / 2
    assert bool(shot["gpus"]) is (shot["gpu_problem"] is None)
