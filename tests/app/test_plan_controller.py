"""The plan in the window: bars, hints, rules and fixes, from a real planner process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
from PySide6.QtWidgets import QAbstractButton

from engine.models.demo import demo_model_path
from engine.remote.servers import free_port, start_server, stop_server
from engine.settings import EngineSettings, validated
from tests.support.desk import faulty, open_desk
from widgets.engine_pane.viewdata import DevicePlanView, SettingHints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from app.engine.plan_controller import PlanController
    from tests.support.desk import Desk

pytestmark = pytest.mark.model
# The contexts below would fit into the RAM of a large server.
small_machine = pytest.mark.skipif(
    psutil.virtual_memory().total > 90 * 2**30, reason="everything fits here"
)


class Seen:
    """What the engine pane was given last."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = desk
        self.plan = DevicePlanView()
        self.hints = SettingHints()
        pane = desk.desktop.window.engine
        show_plan, show_hints = pane.set_plan, pane.set_hints

        def set_plan(view: DevicePlanView) -> None:
            self.plan = view
            show_plan(view)

        def set_hints(hints: SettingHints) -> None:
            self.hints = hints
            show_hints(hints)

        monkeypatch.setattr(pane, "set_plan", set_plan)
        monkeypatch.setattr(pane, "set_hints", set_hints)

    @property
    def controller(self) -> PlanController:
        return self.desk.desktop.engine_side.planning

    @property
    def edited(self) -> EngineSettings:
        return self.desk.desktop.window.engine.edited()

    def edit(self, **changes: object) -> None:
        """Change settings as the form does, and wait for the whole plan."""
        self.desk.desktop.engine_side.pane.set_edited(validated(self.edited, **changes))
        self.settle()

    @property
    def ram_weights(self) -> int:
        """What the last bar, RAM, shows of weights."""
        return self.plan.devices[-1].weights_bytes or 0

    def settle(self) -> None:
        self.desk.until(self.is_settled, "a whole plan of the edited settings")

    def is_settled(self) -> bool:
        plan = self.controller.newest
        return plan is not None and plan.settings == self.edited and plan.is_final

    def buttons(self, prefix: str) -> list[QAbstractButton]:
        """Visible buttons of the ladder or the rules, in their order."""
        found = self.desk.desktop.window.engine.findChildren(QAbstractButton)
        return [b for b in found if b.objectName().startswith(prefix) and b.isVisible()]


@pytest.fixture
def seen(qtbot: QtBot, qapp: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    with open_desk(qapp, command=faulty()) as desk:  # type: ignore[arg-type]
        watched = Seen(desk, monkeypatch)
        settings = EngineSettings(model_path=str(demo_model_path()), devices=("cpu",), n_ctx=4096)
        desk.desktop.engine_side.pane.set_edited(settings)
        watched.settle()
        yield watched


def test_bars_and_hints_appear(seen: Seen) -> None:
    (ram,) = seen.plan.devices
    assert ram.kind == "ram"
    assert seen.ram_weights > 90_000_000
    assert ram.kv_bytes == 4096 * 23040
    assert dict(ram.kv_kinds) == {"attention": 4096 * 23040}
    assert (seen.hints.max_n_ctx, seen.hints.n_ctx_train, seen.hints.n_layers) == (8192, 8192, 31)
    assert seen.hints.can_fit
    assert not seen.hints.can_split
    # Without a second device a tensor split is shown with its reason.
    assert ("split_mode", "tensor") in {(p.setting, p.value) for p in seen.hints.problems}


def test_an_edit_is_priced_anew(seen: Seen) -> None:
    assert seen.plan.devices[0].kv_bytes == 4096 * 23040
    seen.edit(n_ctx=8192)
    assert seen.plan.devices[0].kv_bytes == 8192 * 23040
    seen.edit(type_k="q8_0", type_v="q8_0")
    # Blocks of 32 values with a scale: 34 bytes for what took 64.
    assert seen.plan.devices[0].kv_bytes == 8192 * 23040 * 34 // 64
    assert seen.controller.latencies_s


def test_the_last_of_many_edits_is_shown(seen: Seen) -> None:
    for n_ctx in range(256, 8193, 256):
        seen.desk.desktop.engine_side.pane.set_edited(validated(seen.edited, n_ctx=n_ctx))
    seen.settle()
    assert seen.plan.devices[0].kv_bytes == 8192 * 23040


def test_a_rule_says_what_is_wrong_and_repairs_it(seen: Seen) -> None:
    seen.edit(type_v="q8_0", flash_attn="off")
    (fix,) = seen.buttons("rule_fix_rules.v_needs_flash")
    assert fix.text()
    assert seen.ram_weights == 0
    fix.click()
    seen.settle()
    assert seen.edited.flash_attn == "auto"
    assert seen.edited.type_v == "q8_0"
    assert not seen.buttons("rule_fix_rules.v_needs_flash")
    assert seen.ram_weights > 90_000_000


def test_rules_follow_at_once(seen: Seen) -> None:
    pane = seen.desk.desktop.engine_side.pane
    pane.set_edited(validated(seen.edited, flash_attn="off"))
    # Before the planner answers: it cannot have, as no event was handled since.
    refused = {(p.setting, p.value) for p in seen.hints.problems}
    assert ("type_v", "q8_0") in refused
    assert ("type_v", "f16") not in refused
    seen.settle()


@small_machine
def test_what_does_not_fit_shows_ways_to_fit(seen: Seen) -> None:
    seen.edit(n_ctx=4_194_304)
    assert seen.plan.summary_tone == "bad"
    fixes = seen.buttons("fix_")
    ladder = [b for b in fixes if b.objectName().removeprefix("fix_").isdigit()]
    assert ladder
    plan = seen.controller.newest
    assert plan is not None
    enough = next(index for index, fix in enumerate(plan.fixes) if fix.fits)
    ladder[enough].click()
    seen.settle()
    plan = seen.controller.newest
    assert plan is not None
    assert plan.fits
    assert not [b for b in seen.buttons("fix_") if b.objectName()[4:].isdigit()]


@pytest.mark.parametrize("goal", ["context", "speed", "quality"])
def test_a_fit_changes_the_settings(seen: Seen, goal: str) -> None:
    seen.edit(n_ctx=2048, n_ubatch=128, type_k="q4_0", type_v="q4_0")
    seen.desk.press(f"fit_{goal}")
    seen.desk.until(lambda: seen.edited.n_ubatch != 128 or seen.edited.type_k != "q4_0", goal)
    seen.settle()
    plan = seen.controller.newest
    assert plan is not None
    assert plan.fits
    if goal == "context":
        assert seen.edited.n_ctx == 8192
    else:
        assert seen.edited.n_ctx == 2048
        assert seen.edited.type_k == "f16"


@small_machine
def test_a_fit_that_finds_nothing_leaves_a_whole_plan(seen: Seen) -> None:
    # A cache of this size fits in no type and no split.
    seen.desk.desktop.engine_side.pane.set_edited(validated(seen.edited, n_ctx=16_777_216))
    seen.desk.press("fit_quality")
    seen.desk.until(lambda: seen.desk.notices, "a sentence")
    seen.settle()
    assert seen.plan.summary_tone == "bad"


def test_another_device_list_asks_for_its_facts(seen: Seen) -> None:
    seen.edit(devices=("cpu",), n_ctx=2048)
    seen.edit(devices=())
    assert seen.hints.max_n_ctx == 8192


def test_a_device_that_is_off_stays_in_the_list_and_comes_back(seen: Seen) -> None:
    servers = [start_server("CPU", threads=1) for _ in range(2)]
    first, second = (address for address, _ in servers)
    try:
        pane = seen.desk.desktop.window.engine
        pane.device_switched.emit(first, True)
        pane.device_switched.emit(second, True)
        seen.settle()
        assert _shown(seen) == [(first, True), (second, True), ("ram", True)]
        pane.device_order_changed.emit((second, first))
        seen.settle()
        assert seen.edited.devices == (second, first)
        pane.device_switched.emit(second, False)
        seen.settle()
        assert _shown(seen) == [(first, True), (second, False), ("ram", True)]
        assert not pane.quick.editor("tensor_split").isVisible()
        pane.device_switched.emit(first, False)
        seen.settle()
        assert list(seen.edited.devices) == ["cpu"]
        assert _shown(seen) == [(first, False), (second, False), ("ram", True)]
        pane.device_switched.emit(first, True)
        seen.settle()
        assert list(seen.edited.devices) == [first]
    finally:
        seen.edit(devices=("cpu",))
        for _, server in servers:
            stop_server(server)


def test_a_node_that_is_gone_can_be_left_out(seen: Seen) -> None:
    address, server = start_server("CPU", threads=1)
    gone = f"127.0.0.1:{free_port()}"
    pane = seen.desk.desktop.window.engine
    try:
        seen.desk.desktop.engine_side.pane.set_edited(
            validated(seen.edited, devices=(address, gone))
        )
        seen.desk.until(lambda: seen.plan.summary_tone == "bad", "a sentence about the node")
        assert gone in seen.plan.summary
        assert [(d.id, d.is_lost) for d in seen.plan.devices][:2] == [
            (address, False),
            (gone, True),
        ]
        assert all(device.planned_bytes is None for device in seen.plan.devices)
        pane.device_switched.emit(gone, False)
        seen.settle()
        assert list(seen.edited.devices) == [address]
        assert _shown(seen)[:2] == [(address, True), (gone, False)]
    finally:
        seen.edit(devices=("cpu",))
        stop_server(server)


def _shown(seen: Seen) -> list[tuple[str, bool]]:
    return [(device.id, device.is_on) for device in seen.plan.devices]


def test_what_cannot_be_loaded_says_why_and_promises_no_bytes(seen: Seen) -> None:
    seen.edit(type_v="q8_0", flash_attn="off")
    reason = seen.desk.desktop.window.engine.apply_bar.reason
    assert reason.isVisible()
    assert "flash attention" in reason.text()
    assert seen.plan.summary_tone == "bad"
    assert all(device.planned_bytes is None for device in seen.plan.devices)
    seen.edit(type_v="f16", flash_attn="auto")
    assert not reason.isVisible()
    assert seen.ram_weights > 90_000_000


def test_a_file_that_is_gone_is_a_sentence(seen: Seen) -> None:
    seen.desk.desktop.engine_side.pane.set_edited(
        validated(seen.edited, model_path="/nowhere/gone.gguf")
    )
    seen.desk.until(lambda: seen.desk.notices, "a sentence about the file")
    assert "gone.gguf" in seen.desk.notices[-1]
    seen.edit(model_path=str(demo_model_path()))
    assert seen.ram_weights > 90_000_000


def test_how_long_a_load_took_is_learned_and_told(
    qtbot: QtBot, qapp: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_desk(qapp) as desk:  # type: ignore[arg-type]
        seen = Seen(desk, monkeypatch)
        settings = EngineSettings(model_path=str(demo_model_path()), devices=("cpu",), n_ctx=2048)
        desk.desktop.engine_side.pane.set_edited(settings)
        seen.settle()
        first = seen.controller.newest
        assert first is not None
        assert first.load_s is None
        desk.desktop.engine_side.pane.load(seen.edited)
        desk.until(lambda: desk.engine.session.loaded, "the load")
        loaded = desk.engine.session.loaded
        assert loaded is not None
        desk.until(lambda: _load_s(seen) is not None, "a plan that knows the speed")
        seen.settle()
        assert _load_s(seen) == pytest.approx(loaded.seconds, rel=0.1)


def _load_s(seen: Seen) -> float | None:
    plan = seen.controller.newest
    return plan.load_s if plan else None
