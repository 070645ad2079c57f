"""Measuring the best values in the window: the way there, the figures, the choice, and its ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.engine import measuring_views
from app.session import State
from app.store.settings_file import model_key
from engine.bench import tune
from engine.llama.threads import ThreadChoice
from engine.settings import EngineSettings, validated
from tests.support.desk import Hold, faulty, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QAbstractButton
    from pytestqt.qtbot import QtBot

    from app.engine.measuring import MeasuringController
    from tests.support.desk import Desk
    from widgets.engine_pane.measure_sheet import MeasureSheet
    from widgets.engine_pane.measuring_viewdata import MeasuringView


class Measured:
    """A desk whose measurement is as short as can be."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.measuring: MeasuringController = desk.desktop.engine_side.measuring
        self.measuring.budget_s = 0.0

    @property
    def sheet(self) -> MeasureSheet:
        assert self.measuring.sheet is not None
        return self.measuring.sheet

    @property
    def view(self) -> MeasuringView:
        return self.sheet.view()

    @property
    def edited(self) -> EngineSettings:
        return self.desk.desktop.window.engine.edited()

    @property
    def button(self) -> QAbstractButton:
        return self.desk.desktop.window.engine.speed.measure

    def open(self) -> None:
        self.button.click()
        assert self.sheet.isVisible()
        assert self.view.state == "ready"

    def start(self) -> int:
        """Measure; the process id of the worker that does."""
        self.open()
        QTest.keyClick(self.sheet, Qt.Key.Key_Return)
        assert self.view.state == "running"
        self.desk.until(lambda: self.measuring.pid, "a worker of its own")
        return self.measuring.pid or 0

    def until_state(self, state: str) -> None:
        self.desk.until(lambda: self.view.state == state, f"{state}, is {self.view}")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "fake.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The file that says what goes wrong, and when."""
    return tmp_path / "plan"


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    return Hold(tmp_path)


@pytest.fixture
def measured(qtbot: QtBot, qapp: object, plan: Path, hold: Hold) -> Iterator[Measured]:
    env = {"FAULTY_PLAN": str(plan), "FAULTY_UBATCH_US": "1", **hold.env}
    with open_desk(qapp, command=faulty(), env=env) as desk:  # type: ignore[arg-type]
        yield Measured(desk)


def test_the_choice_is_taken_over_and_kept(
    measured: Measured, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A single core leaves no choice of threads.
    for module in (tune, measuring_views):
        monkeypatch.setattr(module, "default_threads", lambda: ThreadChoice(2, "2 physical cores"))
    desk = measured.desk
    desk.load(model, n_ctx=1024)
    first = desk.engine.pid
    pid = measured.start()
    assert pid != first
    assert "Measuring" in desk.desktop.window.engine.card.accessibleDescription()
    hint = desk.find(QLabel, "composerHint")
    assert "being measured" in hint.text()
    measured.until_state("done")
    assert "being measured" not in hint.text()
    # Threads make no difference there.
    best = {one.title: one.after for one in measured.view.proposals}
    assert best == {"Micro-batch": "64"}
    assert "no difference beyond the noise" in measured.view.detail
    rows = measured.view.settings[0].values
    assert [row.value for row in rows] == ["64", "128", "256", "512"]
    assert [row.is_now for row in rows] == [False, False, False, True]
    assert all(row.tokens_per_second for row in rows)
    desk.until_state(State.READY)
    assert desk.engine.session.loaded.settings.n_ubatch == 512  # type: ignore[union-attr]

    QTest.keyClick(measured.sheet, Qt.Key.Key_Return)
    assert not measured.sheet.isVisible()
    _until_loaded(desk, n_ubatch=64)
    assert measured.edited == _loaded(desk)
    profile = desk.desktop.settings.profile(model_key(model))
    assert profile is not None
    assert (profile.engine.n_ubatch, profile.engine.n_ctx) == (64, 1024)
    assert profile.engine.n_threads == 0

    measured.open()
    measured.sheet.start.click()
    measured.until_state("done")
    assert not measured.view.proposals
    assert measured.view.words == "The settings are the best already."
    assert "no difference beyond the noise" in measured.view.detail
    assert not measured.sheet.apply.isVisible()
    assert [row.is_best for row in measured.view.settings[-1].values].count(True) == 0


def test_esc_ends_it_and_brings_the_model_back(measured: Measured, model: Path, plan: Path) -> None:
    desk = measured.desk
    desk.load(model)
    before = _loaded(desk)
    plan.write_text("hang bench")
    pid = measured.start()
    desk.until(lambda: not plan.exists() and measured.view.settings, "the middle of it")
    assert measured.view.seconds_left is None
    QTest.keyClick(measured.sheet, Qt.Key.Key_Escape)
    assert not measured.sheet.isVisible()
    desk.until_state(State.READY)
    assert not psutil.pid_exists(pid)
    assert _loaded(desk) == before
    assert desk.notices[-1].startswith("Measuring was stopped")


def test_loading_waits_and_the_card_offers_to_cancel(
    measured: Measured, model: Path, plan: Path
) -> None:
    desk, pane = measured.desk, measured.desk.desktop.window.engine
    desk.load(model)
    before, act, load = _loaded(desk), pane.card.act, pane.apply_bar.apply
    plan.write_text("hang bench")
    pid = measured.start()
    desk.until(lambda: not plan.exists(), "the middle of it")
    assert (load.text(), load.isEnabled()) == ("Load", False)
    assert "being measured" in load.toolTip()
    # Edits change nothing about that.
    desk.desktop.engine_side.pane.set_edited(_changed(measured.edited, type_k="q8_0"))
    assert not load.isEnabled()
    assert act.text() == "Cancel"
    act.click()
    assert not measured.sheet.isVisible()
    desk.until_state(State.READY)
    assert not psutil.pid_exists(pid)
    assert _loaded(desk) == before
    assert act.text() == "Eject"
    assert (load.text(), load.isEnabled()) == ("Apply · new context", True)
    assert "being measured" not in load.toolTip()
    assert [one for one in desk.notices if "Measuring was stopped" in one] == [desk.notices[-1]]


def test_a_value_that_kills_the_engine_is_left_out_and_told(
    measured: Measured, model: Path, plan: Path
) -> None:
    desk = measured.desk
    desk.load(model)
    plan.write_text("kill bench")
    first = measured.start()
    measured.until_state("done")
    assert not psutil.pid_exists(first)
    assert "ended with Micro-batch 64" in measured.view.detail
    assert "figures are incomplete" in measured.view.detail
    assert "{" not in measured.view.detail
    rows = measured.view.settings[0].values
    assert "killed" in rows[0].problem
    assert all(row.tokens_per_second for row in rows[1:])
    assert [(one.title, one.after) for one in measured.view.proposals] == [("Micro-batch", "128")]
    desk.until_state(State.READY)
    assert not desk.deaths
    measured.sheet.apply.click()
    _until_loaded(desk, n_ubatch=128)


def test_an_engine_that_always_dies_is_told(qtbot: QtBot, qapp: object, model: Path) -> None:
    with open_desk(qapp, command=faulty("kill", "bench")) as desk:  # type: ignore[arg-type]
        measured = Measured(desk)
        _choose(desk, model)
        measured.start()
        measured.until_state("failed")
        assert "killed" in measured.view.words
        assert measured.view.detail
        assert measured.measuring.pid is None


def test_a_model_that_cannot_be_loaded_is_told(qtbot: QtBot, qapp: object, model: Path) -> None:
    with open_desk(qapp, command=faulty("load_fails")) as desk:  # type: ignore[arg-type]
        measured = Measured(desk)
        assert not measured.button.isEnabled()
        assert "Choose a model" in measured.button.toolTip()
        _choose(desk, model)
        assert measured.button.isEnabled()
        measured.start()
        measured.until_state("failed")
        assert "x" in measured.view.words
        assert desk.engine.session.loaded is None
        assert desk.engine.session.state is State.OFF


def test_a_reply_is_not_interrupted(measured: Measured, model: Path, hold: Hold) -> None:
    desk = measured.desk
    desk.load(model)
    measured.open()
    hold.at()
    desk.send("Go on")
    desk.until_state(State.WRITING)
    assert not measured.button.isEnabled()
    assert "reply" in measured.button.toolTip()
    assert not desk.desktop.window.actions_by_name["measure"].isEnabled()
    assert not measured.sheet.start.isEnabled()
    assert "reply" in measured.sheet.blocked.text()
    hold.let_go()
    desk.until_state(State.READY)
    assert measured.button.isEnabled()
    assert measured.sheet.start.isEnabled()


def test_edits_outlive_it_and_are_named(measured: Measured, model: Path, plan: Path) -> None:
    desk = measured.desk
    desk.load(model, n_ctx=1024)
    desk.desktop.engine_side.pane.set_edited(_changed(measured.edited, n_batch=1024))
    measured.start()
    assert measured.edited.n_batch == 1024
    desk.desktop.engine_side.pane.set_edited(_changed(measured.edited, type_k="q8_0"))
    measured.until_state("done")
    assert "meanwhile" in measured.view.detail
    measured.sheet.apply.click()
    _until_loaded(desk, n_ubatch=64)
    # Only what was measured is applied; the user's own edits wait for the user.
    assert (_loaded(desk).n_batch, _loaded(desk).type_k) == (2048, "f16")
    edited = measured.edited
    assert (edited.n_ubatch, edited.n_batch, edited.type_k) == (64, 1024, "q8_0")


def test_a_load_in_the_middle_goes_first(measured: Measured, model: Path, plan: Path) -> None:
    desk = measured.desk
    desk.load(model, n_ctx=1024)
    plan.write_text("hang bench")
    pid = measured.start()
    desk.until(lambda: not plan.exists(), "the middle of it")
    desk.desktop.engine_side.pane.load(_changed(measured.edited, n_ctx=2048))
    assert measured.view.state == "failed"
    desk.until_state(State.READY)
    desk.until(lambda: not psutil.pid_exists(pid), "the end of it")
    assert _loaded(desk).n_ctx == 2048
    desk.until(measured.button.isEnabled, "another try")
    assert _loaded(desk).n_ctx == 2048


def test_the_window_can_close_in_the_middle(
    qtbot: QtBot, qapp: object, model: Path, plan: Path
) -> None:
    plan.write_text("hang bench")
    env = {"FAULTY_PLAN": str(plan)}
    with open_desk(qapp, command=faulty(), env=env) as desk:  # type: ignore[arg-type]
        measured = Measured(desk)
        _choose(desk, model)
        pid = measured.start()
        desk.until(lambda: not plan.exists(), "the middle of it")
        begun = time.monotonic()
    assert not psutil.pid_exists(pid)
    assert time.monotonic() - begun < 10


@pytest.mark.model
@pytest.mark.e2e
def test_a_real_model_is_measured(qtbot: QtBot, qapp: object, demo_model: Path) -> None:
    with open_desk(qapp) as desk:  # type: ignore[arg-type]
        measured = Measured(desk)
        desk.load(demo_model, n_ctx=256, n_ubatch=128, devices=("cpu",))
        before, worker = _loaded(desk), desk.engine.pid
        pid = measured.start()
        assert worker is None or not psutil.pid_exists(worker)
        measured.until_state("done")
        sizes, *threads = measured.view.settings
        assert [row.value for row in sizes.values] == ["64", "128"]
        assert len(threads) == 2
        for table in measured.view.settings:
            assert all(row.tokens_per_second for row in table.values)
            # None where no value is better than the present one beyond the noise.
            assert sum(row.is_best for row in table.values) <= 1
        taken = [row.compute_bytes or 0 for row in sizes.values]
        assert 0 < taken[0] < taken[1]
        measured.sheet.cancel.click()
        desk.until_state(State.READY)
        assert not psutil.pid_exists(pid)
        assert _loaded(desk) == before
        assert desk.ask("Hello").text


def _loaded(desk: Desk) -> EngineSettings:
    loaded = desk.engine.session.loaded
    assert loaded is not None
    return loaded.settings


def _until_loaded(desk: Desk, *, n_ubatch: int) -> None:
    def is_there() -> bool:
        session = desk.engine.session
        return session.state is State.READY and _loaded(desk).n_ubatch == n_ubatch

    desk.until(is_there, "the best size in the engine")


def _choose(desk: Desk, model: Path) -> None:
    pane = desk.desktop.engine_side.pane
    pane.set_edited(_changed(desk.desktop.window.engine.edited(), model_path=str(model)))


def _changed(settings: EngineSettings, **changes: object) -> EngineSettings:
    return validated(settings, **changes)
