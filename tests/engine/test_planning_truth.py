"""Plans beside NVML's readings: virtual devices of one card, what is learned and what is not.

The figures are readings of an H100 with CUDA 13 and an 8B model, two virtual devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.planning.corrections import Corrections
from engine.planning.facts import BuildFacts, DeviceFacts, card_of
from engine.planning.machine import Machine
from engine.planning.plan import DevicePlan, Plan
from engine.planning.truth import Readings, compared, learn
from engine.settings import EngineSettings
from engine.worker.protocol import DeviceMemory

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_CARD = "0000:0f:00.0"
_BUILD = BuildFacts(id="build", backends=("CUDA",))
_DEVICES = tuple(
    DeviceFacts(
        name=f"CUDA{n}",
        id=f"{_CARD}-v{n}",
        backend="CUDA",
        kind="gpu",
        free_bytes=39 * _GIB,
        total_bytes=40 * _GIB,
        uuid="GPU-1",
    )
    for n in (0, 1)
)


@pytest.fixture
def corrections(tmp_path: Path) -> Corrections:
    return Corrections(tmp_path / "corrections.json")


def _plan(corrections: Corrections, split: str, accounts_mib: tuple[float, float]) -> Plan:
    places = Machine(corrections).places(_DEVICES, _BUILD.id, {}, tensor=split == "tensor")
    devices = tuple(
        msgspec.structs.replace(place, weights_bytes=round(account * _MIB))
        for place, account in zip(places, accounts_mib, strict=True)
    )
    settings = EngineSettings(model_path="m.gguf", split_mode=split)  # type: ignore[arg-type]
    return Plan(settings=settings, devices=devices)


def _readings(after_load_mib: float, after_prefill_mib: float) -> Readings:
    return Readings(
        before={_CARD: 5 * _MIB},
        after_load={_CARD: round((5 + after_load_mib) * _MIB)},
        after_prefill={_CARD: round((5 + after_prefill_mib) * _MIB)},
    )


def _learned(corrections: Corrections, plan: Plan, readings: Readings) -> None:
    learn(plan, _DEVICES, _BUILD, readings, corrections)


# Split, llama.cpp's account of each device, NVML after the load and after a full-depth prefill.
_MEASURED = [
    ("layer", (4433.5, 4225.3), 9193.0, 9291.0),
    ("layer", (5237.7, 5029.5), 10801.0, 10931.0),
    ("layer", (3465.9, 3377.7), 7377.0, 7475.0),
    ("layer", (11345.5, 10369.3), 22249.0, 22347.0),
    ("layer", (13301.7, 12325.5), 26165.0, 26295.0),
    ("tensor", (4201.95, 4201.95), 9001.0, 9139.0),
    ("tensor", (4621.95, 4621.95), 9841.0, 10039.0),
    ("tensor", (3294.0, 3294.0), 7185.0, 7325.0),
    ("tensor", (10441.95, 10441.95), 21481.0, 21619.0),
]


@pytest.mark.parametrize(("split", "accounts", "loaded", "prefilled"), _MEASURED)
def test_the_first_guess_is_close(
    corrections: Corrections,
    split: str,
    accounts: tuple[float, float],
    loaded: float,
    prefilled: float,
) -> None:
    plan = _plan(corrections, split, accounts)
    predicted_mib = sum(device.needed_bytes for device in plan.devices) / _MIB
    assert abs(predicted_mib - prefilled) <= max(64, prefilled / 100)
    truth = compared(plan, (), _readings(loaded, prefilled))
    assert truth.stage == "prefill"
    assert all(device.is_close for device in truth.devices)
    assert sum(device.got_bytes or 0 for device in truth.devices) == round(prefilled * _MIB)


def test_two_virtual_devices_are_one_card(corrections: Corrections) -> None:
    for split, accounts, loaded, prefilled in _MEASURED:
        plan = _plan(corrections, split, accounts)
        _learned(corrections, plan, _readings(loaded, prefilled))
    layer = corrections.runtime_bytes("GPU-1", "build", "CUDA")
    tensor = corrections.runtime_bytes("GPU-1", "build", "CUDA", tensor=True)
    assert layer / _MIB == pytest.approx(534, abs=4)
    assert tensor / _MIB == pytest.approx(597, abs=1)
    assert corrections.pool_bytes("GPU-1", "build", "CUDA") / _MIB == 65
    assert corrections.pool_bytes("GPU-1", "build", "CUDA", tensor=True) / _MIB == 99
    plan = _plan(corrections, "tensor", (4201.95, 4201.95))
    assert [device.runtime_bytes for device in plan.devices] == [tensor, 0]


@pytest.mark.parametrize("runtime_mib", [-40, 0, 127, 2049, 9000])
def test_an_absurd_figure_is_not_learned(corrections: Corrections, runtime_mib: float) -> None:
    plan = _plan(corrections, "layer", (4000, 4000))
    guess = corrections.runtime_bytes("GPU-1", "build", "CUDA")
    _learned(corrections, plan, _readings(8000 + runtime_mib, 8000 + runtime_mib + 9000))
    assert corrections.runtime_bytes("GPU-1", "build", "CUDA") == guess
    assert corrections.pool_bytes("GPU-1", "build", "CUDA") == 66 * _MIB


def test_an_absurd_figure_in_the_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "corrections.json"
    stored = '{"cards": {"build GPU-1": {"runtime_bytes": 9000000000, "pool_bytes": 9000000000}}}'
    path.write_text(stored)
    corrections = Corrections(path)
    assert corrections.runtime_bytes("GPU-1", "build", "CUDA") == 534 * _MIB
    assert corrections.pool_bytes("GPU-1", "build", "CUDA") == 66 * _MIB
    corrections.learn_runtime("GPU-1", "build", 500 * _MIB)
    assert corrections.runtime_bytes("GPU-1", "build", "CUDA") == 500 * _MIB


def test_a_device_without_a_share_has_no_say(corrections: Corrections) -> None:
    plan = _plan(corrections, "layer", (0, 0))
    _learned(corrections, plan, _readings(500, 600))
    assert corrections.runtime_bytes("GPU-1", "build", "CUDA") == 534 * _MIB


def test_pinned_memory_is_not_taken_for_the_device(corrections: Corrections) -> None:
    plan = _plan(corrections, "layer", (4000, 4000))
    row = DeviceMemory(
        name="CUDA0",
        id=f"{_CARD}-v0",
        weights_bytes=4000 * _MIB,
        kv_bytes=_MIB,
        compute_bytes=2 * _MIB,
    )
    pinned = msgspec.structs.replace(row, id="cpu", weights_bytes=0, kv_bytes=0)
    truth = compared(plan, (row, pinned), _readings(8534, 8632))
    first = truth.devices[0]
    assert (first.weights_off_bytes, first.kv_off_bytes) == (0, _MIB)
    assert first.compute_off_bytes == 2 * _MIB


@pytest.mark.parametrize(
    ("device", "card"),
    [
        ("0000:0f:00.0-v1", "0000:0f:00.0"),
        ("0000:0f:00.0", "0000:0f:00.0"),
        ("node-v1:5000", "node-v1:5000"),
        ("Vulkan-v2", "Vulkan-v2"),
    ],
)
def test_the_card_behind_a_device(device: str, card: str) -> None:
    assert card_of(device) == card


def test_released_memory_is_given_back_once(corrections: Corrections) -> None:
    released = {f"{_CARD}-v1": _GIB // 2}
    places: tuple[DevicePlan, ...] = Machine(corrections).places(_DEVICES, "build", released)
    assert [place.free_bytes for place in places] == [39 * _GIB, 39 * _GIB + _GIB // 2]


def test_a_context_that_was_there_before_is_not_missed(corrections: Corrections) -> None:
    plan = _plan(corrections, "layer", (4000, 4000))
    readings = msgspec.structs.replace(_readings(8008, 8106), is_difference=True)
    truth = compared(plan, (), readings)
    assert all(device.is_close for device in truth.devices)
    _learned(corrections, plan, readings)
    assert corrections.runtime_bytes("GPU-1", "build", "CUDA") == 534 * _MIB
    assert corrections.pool_bytes("GPU-1", "build", "CUDA") == 49 * _MIB


def test_another_process_takes_in_what_was_learned(tmp_path: Path) -> None:
    path = tmp_path / "corrections.json"
    planner, app = Corrections(path), Corrections(path)
    app.learn_runtime("GPU-1", "build", 600 * _MIB)
    app.learn_speed(_GIB, 0.5)
    planner.refresh()
    assert planner.runtime_bytes("GPU-1", "build", "CUDA") == 600 * _MIB
    assert planner.read_bytes_per_s == 2 * _GIB


def test_what_cannot_be_written_still_serves_this_process(tmp_path: Path) -> None:
    # A disk that is full or read-only fails as a file in the place of the folder does.
    (tmp_path / "home").touch()
    corrections = Corrections(tmp_path / "home" / "corrections.json")
    corrections.learn_speed(_GIB, 0.5)
    corrections.refresh()
    assert corrections.read_bytes_per_s == 2 * _GIB
