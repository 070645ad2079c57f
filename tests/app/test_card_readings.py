"""What the cards hold around a load, and what a plan made meanwhile may count with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from app.engine.card_readings import CardReadings
from app.engine.holdings import Holdings
from engine.planning.corrections import Corrections
from engine.planning.facts import BuildFacts, Scene
from engine.planning.machine import Machine
from engine.planning.plan import DevicePlan, Plan
from engine.planning.truth import compared, learn
from engine.settings import EngineSettings
from engine.telemetry import GpuReader
from engine.worker.protocol import DeviceInfo, DeviceMemory
from tests.support.cards import CARD, GIB, MIB, TOTAL_BYTES, Card
from tests.support.faulty_worker import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from engine.worker.protocol import Loaded

_WORKER, _GAME = 4711, 99
_CONTEXT, _POOL, _ACCOUNT = 534 * MIB, 66 * MIB, 8000 * MIB
_SETTINGS = EngineSettings(model_path="m.gguf", devices=(CARD,))
_INFO = DeviceInfo(name="CUDA0", id=CARD, description="RTX", backend="CUDA", kind="gpu")
_BUILD = BuildFacts(id="b", backends=("CUDA",))
_ALONE = Scene()
_MEMORY = DeviceMemory(name="CUDA0", id=CARD, weights_bytes=_ACCOUNT, kv_bytes=0, compute_bytes=0)


@pytest.fixture
def corrections(tmp_path: Path) -> Corrections:
    return Corrections(tmp_path / "corrections.json")


def _readings(card: Card) -> CardReadings:
    return CardReadings(GpuReader(card.gate))


@pytest.fixture(autouse=True)
def read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question reads the card, however soon it comes."""
    monkeypatch.setattr("engine.planning.machine._FRESH_S", -1.0)


def _plan(machine: Machine, scene: Scene = _ALONE) -> Plan:
    """A plan of the model with what is free now, as the planner makes it."""
    facts = machine.facts((_INFO,), worker_pid=scene.worker_pid)
    (place,) = machine.places(facts, _BUILD.id, scene.released)
    values = {name: getattr(place, name) for name in place.__struct_fields__}
    values["weights_bytes"] = _ACCOUNT
    return Plan(settings=_SETTINGS, devices=(DevicePlan(**values),))


def _loaded(shares: tuple[int, ...] = ()) -> Loaded:
    made = loaded(1, _SETTINGS)
    context = replace(made.context, devices=(_INFO,), memory=(_MEMORY,), shares=shares)
    return replace(made, context=context)


class TestReadings:
    """Before a load, after it, after a prompt."""

    def test_the_engines_own_where_the_driver_tells(self) -> None:
        card = Card()
        card.held = {_GAME: 2 * GIB, _WORKER: _CONTEXT}
        readings = _readings(card)
        readings.begin(_WORKER)
        card.held = {_GAME: 5 * GIB, _WORKER: _CONTEXT + _ACCOUNT}
        readings.after_load(_WORKER)
        card.held[_WORKER] += _POOL
        readings.after_prefill(_WORKER)
        taken = readings.taken
        # The context that was there before the load counts; the game's 3 GiB more do not.
        assert not taken.is_difference
        assert taken.before == {CARD: 0}
        assert taken.after_load == {CARD: _CONTEXT + _ACCOUNT}
        assert taken.after_prefill == {CARD: _CONTEXT + _ACCOUNT + _POOL}

    def test_the_difference_where_it_hides_whose_memory_it_is(self) -> None:
        card = Card(hides=True)
        card.held = {_GAME: 2 * GIB, _WORKER: _CONTEXT}
        readings = _readings(card)
        readings.begin(_WORKER)
        card.held[_WORKER] += _ACCOUNT
        readings.after_load(_WORKER)
        taken = readings.taken
        assert taken.is_difference
        assert taken.after_load[CARD] - taken.before[CARD] == _ACCOUNT
        assert readings.used_bytes() == {CARD: 2 * GIB + _CONTEXT + _ACCOUNT}

    def test_a_prompt_without_a_reading_after_the_load_says_nothing(self) -> None:
        readings = _readings(Card())
        readings.begin(_WORKER)
        readings.after_prefill(_WORKER)
        assert readings.taken.after_prefill == {}

    def test_a_new_load_forgets_the_one_before(self) -> None:
        readings = _readings(Card())
        for _ in range(2):
            readings.begin(_WORKER)
            assert readings.taken.after_load == {}
            readings.after_load(_WORKER)
            readings.after_prefill(_WORKER)

    def test_no_card_is_no_reading(self) -> None:
        card = Card()
        card.lost = {0}
        readings = _readings(card)
        readings.begin(_WORKER)
        readings.after_load(_WORKER)
        assert (readings.taken.before, readings.taken.after_load) == ({}, {})

    def test_what_was_read_is_what_is_learned(self, corrections: Corrections) -> None:
        card = Card()
        card.held = {_WORKER: _CONTEXT}
        machine, readings = Machine(corrections, card.gate), _readings(card)
        plan = _plan(machine, Scene(worker_pid=_WORKER))
        readings.begin(_WORKER)
        card.held[_WORKER] = 600 * MIB + _ACCOUNT
        readings.after_load(_WORKER)
        (truth,) = compared(plan, (_MEMORY,), readings.taken).devices
        assert truth.off_bytes == (600 - 534) * MIB
        learn(plan, machine.facts((_INFO,)), _BUILD, readings.taken, corrections)
        assert corrections.runtime_bytes("GPU-0", "b", "CUDA") == 600 * MIB


@pytest.mark.parametrize("hides", [False, True])
class TestPlansBesideTheEngine:
    """The card has 24 GiB, a game holds 2: whatever the engine holds, a plan has 22."""

    def stages(self, card: Card, machine: Machine) -> dict[str, tuple[int | None, int | None]]:
        """What a plan has free and leaves free, from before the first worker to an eject."""
        readings = _readings(card)
        holdings = Holdings(readings)
        pid: int | None = None
        seen: dict[str, tuple[int | None, int | None]] = {}

        def look(stage: str) -> Plan:
            plan = _plan(machine, holdings.scene(_SETTINGS, pid))
            seen[stage] = plan.devices[0].free_bytes, plan.devices[0].left_bytes
            return plan

        card.held = {_GAME: 2 * GIB}
        plan = look("nothing runs")
        pid, card.held[_WORKER] = _WORKER, _CONTEXT
        holdings.begin_load(plan, pid)
        look("the load begins")
        card.held[_WORKER] += _ACCOUNT // 3
        look("a third is loaded")
        card.held[_WORKER] = _CONTEXT + _ACCOUNT
        look("all is loaded")
        holdings.end_load(_loaded())
        readings.after_load(pid)
        look("after the load")
        card.held[_WORKER] += _POOL
        readings.after_prefill(pid)
        plan = look("after a prompt")
        holdings.begin_load(plan, pid)
        card.held[_WORKER] = _CONTEXT + _POOL
        look("it is replaced")
        card.held[_WORKER] += _ACCOUNT // 2
        look("half of the next is loaded")
        card.held[_WORKER] += _ACCOUNT - _ACCOUNT // 2
        holdings.end_load(_loaded())
        readings.after_load(pid)
        readings.after_prefill(pid)
        look("the next is there")
        return seen

    def test_the_engines_memory_is_counted_once(
        self, corrections: Corrections, hides: bool
    ) -> None:
        card = Card(hides=hides)
        stages = self.stages(card, Machine(corrections, card.gate))
        free = TOTAL_BYTES - 2 * GIB
        left = free - _ACCOUNT - _CONTEXT - _POOL
        assert stages == dict.fromkeys(stages, (free, left))

    def test_the_planners_own_context_is_not_the_users(
        self, corrections: Corrections, hides: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.telemetry.gpus._sees_all_pids", lambda: not hides)
        card = Card(hides=hides)
        card.held = {_GAME: 2 * GIB}
        machine = Machine(corrections, card.gate)
        # Its context is there a moment after the first reading.
        card.held[os.getpid()] = _CONTEXT
        for fresh_s in (60.0, -1.0):
            monkeypatch.setattr("engine.planning.machine._FRESH_S", fresh_s)
            (device,) = _plan(machine).devices
            assert device.free_bytes == TOTAL_BYTES - 2 * GIB


def test_a_layer_split_that_is_loaded_stays_where_it_is() -> None:
    holdings = Holdings(_readings(Card()))
    holdings.begin_load(None, _WORKER)
    holdings.end_load(_loaded(shares=(3000, 1000)))
    longer = EngineSettings(model_path="m.gguf", devices=(CARD,), n_ctx=512)
    other = EngineSettings(model_path="n.gguf", devices=(CARD,))
    assert holdings.scene(longer, _WORKER).shares == (3000, 1000)
    assert holdings.scene(other, _WORKER).shares == ()
    assert holdings.scene(longer, None) == Scene()


def test_a_refused_load_leaves_the_plan_of_the_model_that_stays(corrections: Corrections) -> None:
    card = Card()
    holdings = Holdings(_readings(card))
    first = _plan(Machine(corrections, card.gate))
    holdings.begin_load(first, _WORKER)
    stays = _loaded()
    holdings.end_load(stays)
    holdings.begin_load(None, _WORKER)
    holdings.end_load(stays)
    assert holdings.plan is first
