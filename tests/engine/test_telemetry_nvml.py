"""GPU figures through the gate, with a driver that loses cards and lacks functions.

No test machine can be asked to lose a GPU, so a module with pynvml's own exceptions stands in for
the driver here. The figures of a real one are checked by `python -m engine.telemetry`.
"""

from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml
import pytest

from engine.telemetry import GpuReader, GpuSnapshot, NvmlGate, gpus

_GIB = 1024**3


class Driver(ModuleType):
    """A driver with two cards, in the shape of the pynvml module."""

    NVMLError = pynvml.NVMLError
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU
    NVML_PCIE_UTIL_RX_BYTES = pynvml.NVML_PCIE_UTIL_RX_BYTES
    NVML_PCIE_UTIL_TX_BYTES = pynvml.NVML_PCIE_UTIL_TX_BYTES
    nvmlMemory_v2 = pynvml.nvmlMemory_v2  # noqa: N815

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.inits = 0
        self.throughput_calls = 0
        self.lost: set[int] = set()
        self.failing: dict[str, int] = {}
        self.processes: list[SimpleNamespace] = []

    def _check(self, function: str, handle: int | None = None) -> None:
        if handle in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        if function in self.failing:
            raise pynvml.NVMLError(self.failing[function])

    def nvmlInit(self) -> None:
        self._check("nvmlInit")
        self.inits += 1

    def nvmlShutdown(self) -> None:
        self._check("nvmlShutdown")

    def nvmlDeviceGetCount(self) -> int:
        self._check("nvmlDeviceGetCount")
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        self._check("nvmlDeviceGetHandleByIndex", index)
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"NVIDIA GeForce RTX 3090"

    def nvmlDeviceGetPciInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(busId=f"00000000:0{handle + 1}:00.0".encode())

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int | None = None) -> SimpleNamespace:
        self._check("nvmlDeviceGetMemoryInfo", handle)
        if version is None:
            return SimpleNamespace(used=7 * _GIB, free=17 * _GIB, total=24 * _GIB)
        self._check("nvmlDeviceGetMemoryInfo_v2", handle)
        return SimpleNamespace(used=6 * _GIB, reserved=_GIB, free=17 * _GIB, total=24 * _GIB)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:
        self._check("nvmlDeviceGetUtilizationRates", handle)
        return SimpleNamespace(gpu=87, memory=64)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        self._check("nvmlDeviceGetPowerUsage", handle)
        return 287_500

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:
        return 350_000

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 61

    def nvmlDeviceGetPcieThroughput(self, handle: int, counter: int) -> int:
        self.throughput_calls += 1
        return 1500 if counter == self.NVML_PCIE_UTIL_RX_BYTES else 250

    def nvmlDeviceGetCurrPcieLinkGeneration(self, handle: int) -> int:
        return 4

    def nvmlDeviceGetCurrPcieLinkWidth(self, handle: int) -> int:
        return 8

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        self._check("nvmlDeviceGetComputeRunningProcesses", handle)
        return self.processes

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        self._check("nvmlDeviceGetGraphicsRunningProcesses", handle)
        return self.processes[:1]


def _process(pid: int, used_bytes: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=used_bytes)


def _reader(driver: Driver) -> GpuReader:
    return GpuReader(NvmlGate(driver))


def _first(driver: Driver, **read: Any) -> GpuSnapshot:
    return _reader(driver).read(frozenset(), all_slow=True, **read)[0]


def test_every_figure_has_its_unit() -> None:
    driver = Driver()
    one, two = _reader(driver).read(frozenset(), all_slow=True)
    assert two.pci_id == "0000:02:00.0"
    assert one == GpuSnapshot(
        uuid="GPU-0",
        pci_id="0000:01:00.0",
        name="NVIDIA GeForce RTX 3090",
        index=0,
        vram_used_bytes=6 * _GIB,
        vram_free_bytes=17 * _GIB,
        vram_reserved_bytes=_GIB,
        vram_total_bytes=24 * _GIB,
        own_vram_bytes=0,
        utilization_percent=87.0,
        memory_utilization_percent=64.0,
        power_w=287.5,
        power_limit_w=350.0,
        temperature_c=61.0,
        pcie_rx_bytes_per_s=1_500_000.0,
        pcie_tx_bytes_per_s=250_000.0,
        pcie_generation=4,
        pcie_width=8,
    )


def test_an_old_driver_has_no_reserve() -> None:
    driver = Driver()
    driver.failing["nvmlDeviceGetMemoryInfo_v2"] = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
    gpu = _first(driver)
    assert gpu.vram_used_bytes == 7 * _GIB
    assert gpu.vram_reserved_bytes is None


@pytest.mark.parametrize(
    "reason",
    [
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_UNKNOWN,
    ],
)
def test_a_missing_figure_is_none_and_the_others_stay(
    reason: int, caplog: pytest.LogCaptureFixture
) -> None:
    driver = Driver()
    driver.failing["nvmlDeviceGetPowerUsage"] = reason
    reader = _reader(driver)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            gpu = reader.read(frozenset())[0]
    assert gpu.power_w is None
    assert gpu.temperature_c == 61.0
    assert not gpu.lost
    assert sum("nvmlDeviceGetPowerUsage" in record.message for record in caplog.records) == 1


def test_a_function_pynvml_lacks_is_none_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(Driver, "nvmlDeviceGetUtilizationRates")
    monkeypatch.delattr(Driver, "nvmlMemory_v2")
    reader = _reader(Driver())
    with caplog.at_level(logging.INFO):
        reader.read(frozenset())
        gpu = reader.read(frozenset())[0]
    assert gpu.utilization_percent is None
    assert gpu.memory_utilization_percent is None
    assert gpu.vram_used_bytes == 7 * _GIB
    assert [record.message for record in caplog.records] == [
        "nvmlDeviceGetUtilizationRates is missing in pynvml"
    ]


def test_a_lost_gpu_is_flagged_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    reader = _reader(driver)
    assert not any(gpu.lost for gpu in reader.read(frozenset()))
    driver.lost.add(1)
    one, two = reader.read(frozenset())
    assert not one.lost
    assert one.problem is None
    assert two == GpuSnapshot(
        uuid="GPU-1", pci_id="0000:02:00.0", name=one.name, index=1, lost=True
    )
    assert two.problem is not None
    assert two.problem.message == "NVIDIA GeForce RTX 3090 (0000:02:00.0) no longer answers."
    driver.lost.clear()
    monkeypatch.setattr(gpus, "_LOOK_AGAIN_S", 0.0)
    reader = _reader(driver)
    driver.lost.add(1)
    reader.read(frozenset())
    driver.lost.clear()
    assert reader.read(frozenset())[1].vram_used_bytes == 6 * _GIB


def test_a_gpu_that_needs_a_reset_is_lost_while_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpus, "_LOOK_AGAIN_S", 0.0)
    driver = Driver()
    reader = _reader(driver)
    reader.read(frozenset())
    driver.failing["nvmlDeviceGetMemoryInfo"] = pynvml.NVML_ERROR_RESET_REQUIRED
    for _ in range(3):
        assert [gpu.lost for gpu in reader.read(frozenset())] == [True, True]


def test_a_driver_that_goes_away_leaves_gaps_and_is_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver()
    gate = NvmlGate(driver)
    reader = GpuReader(gate)
    reader.read(frozenset())
    driver.failing["nvmlDeviceGetMemoryInfo"] = pynvml.NVML_ERROR_UNINITIALIZED
    reader.read(frozenset())
    driver.failing["nvmlInit"] = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    assert [gpu.lost for gpu in reader.read(frozenset())] == [True, True]
    assert reader.problem() is not None
    driver.failing.clear()
    monkeypatch.setattr(gate, "_next_try_s", 0.0)
    assert [gpu.lost for gpu in reader.read(frozenset())] == [False, False]
    assert driver.inits == 2


def test_no_driver_is_no_gpu_and_a_sentence() -> None:
    driver = Driver()
    driver.failing["nvmlInit"] = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    reader = _reader(driver)
    assert reader.read(frozenset()) == ()
    problem = reader.problem()
    assert problem is not None
    assert "No NVIDIA driver" in problem.message


def test_pynvml_missing_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    reader = GpuReader(NvmlGate())
    assert reader.read(frozenset({1})) == ()
    assert reader.problem() is not None


def test_a_real_machine_answers_or_says_why() -> None:
    reader = GpuReader(NvmlGate())
    found = reader.read(frozenset(), all_slow=True)
    assert bool(found) is (reader.problem() is None)
    assert all(gpu.vram_total_bytes for gpu in found)


class TestOwnShare:
    """VRAM of this app's processes."""

    def own(self, driver: Driver, pids: set[int]) -> int | None:
        return _reader(driver).read(frozenset(pids))[0].own_vram_bytes

    def test_is_the_sum_of_its_processes_each_once(self) -> None:
        driver = Driver()
        driver.processes = [_process(11, 5 * _GIB), _process(12, _GIB), _process(13, 2 * _GIB)]
        assert self.own(driver, {11, 12, 99}) == 6 * _GIB

    def test_is_nothing_without_processes(self) -> None:
        assert self.own(Driver(), set()) == 0

    def test_is_unknown_when_the_driver_hides_it(self) -> None:
        driver = Driver()
        driver.processes = [_process(11, None), _process(12, _GIB)]
        assert self.own(driver, {11, 12}) is None

    def test_is_unknown_when_neither_list_can_be_read(self) -> None:
        driver = Driver()
        for kind in ("Compute", "Graphics"):
            name = f"nvmlDeviceGet{kind}RunningProcesses"
            driver.failing[name] = pynvml.NVML_ERROR_NO_PERMISSION
        assert self.own(driver, {11}) is None

    @pytest.mark.parametrize(("sees_all", "expected"), [(True, 0), (False, None)])
    def test_inside_a_container_absence_proves_nothing(
        self, monkeypatch: pytest.MonkeyPatch, sees_all: bool, expected: int | None
    ) -> None:
        monkeypatch.setattr(gpus, "_sees_all_pids", lambda: sees_all)
        driver = Driver()
        driver.processes = [_process(70_001, _GIB)]
        assert self.own(driver, {11}) == expected


def test_pcie_traffic_is_read_for_one_gpu_at_a_time() -> None:
    driver = Driver()
    reader = _reader(driver)
    reader.read(frozenset())
    assert driver.throughput_calls == 2
    both = reader.read(frozenset())
    assert driver.throughput_calls == 4
    assert [gpu.pcie_rx_bytes_per_s for gpu in both] == [1_500_000.0, 1_500_000.0]
