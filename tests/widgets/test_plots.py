"""Plots draw what they were given, with gaps as gaps, on the tick alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from widgets import theme
from widgets.plots import SpeedPlot, SpeedSample, bands
from widgets.tick import RepaintTick

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

    from widgets.engine_pane.viewdata import Phase


@pytest.fixture
def tick(qapp: QApplication) -> RepaintTick:
    theme.apply(qapp, "light")
    return RepaintTick()


@pytest.fixture
def plot(qtbot: QtBot, tick: RepaintTick) -> SpeedPlot:
    made = SpeedPlot(tick)
    qtbot.addWidget(made)
    made.resize(300, 62)
    made.show()
    return made


def test_bands_are_runs_of_one_phase() -> None:
    phases: tuple[Phase, ...] = ("load", "load", "read", "write")
    samples = [SpeedSample(at, phase) for at, phase in enumerate(phases)]
    assert bands(samples) == [("load", 0, 2), ("read", 2, 3), ("write", 3, 4)]
    assert bands([]) == []


def test_nothing_is_drawn_before_the_tick(plot: SpeedPlot, tick: RepaintTick) -> None:
    plot.append(SpeedSample(1.0, "write", 40.0))
    assert len(plot._curve.getData()[0] if plot._curve.getData()[0] is not None else ()) == 0
    tick.ticked.emit()
    assert len(plot._curve.getData()[0]) == 1


def test_an_unknown_rate_is_a_gap_and_a_load_is_the_floor(
    plot: SpeedPlot, tick: RepaintTick
) -> None:
    for sample in (
        SpeedSample(0, "load"),
        SpeedSample(1, "read", 900.0),
        SpeedSample(2, "read", None),
        SpeedSample(3, "write", 40.0),
        SpeedSample(4, "idle"),
    ):
        plot.append(sample)
    tick.ticked.emit()
    heights = plot._curve.getData()[1]
    assert heights[0] == 0
    assert np.isnan(heights[2])
    assert heights[1] > heights[3] > 0
    assert len(heights) == 4


def test_old_samples_fall_out(plot: SpeedPlot, tick: RepaintTick) -> None:
    for at in range(1000):
        plot.append(SpeedSample(at, "write", float(at)))
    tick.ticked.emit()
    assert len(plot._curve.getData()[0]) == 600


def test_colours_follow_the_theme(plot: SpeedPlot, tick: RepaintTick, qapp: QApplication) -> None:
    plot.append(SpeedSample(0, "write", 10.0))
    tick.ticked.emit()
    light = plot._curve.opts["pen"].color().name()
    theme.apply(qapp, "dark")
    assert plot._curve.opts["pen"].color().name() == theme.current().accent != light
    theme.apply(qapp, "light")


def test_the_tick_pauses_when_hidden(qtbot: QtBot, qapp: QApplication) -> None:
    tick = RepaintTick()
    seen: list[int] = []
    tick.drives(lambda: seen.append(1))
    tick.set_visible(True)
    qtbot.waitUntil(lambda: len(seen) >= 2, timeout=1500)
    tick.set_visible(False)
    seen.clear()
    qtbot.wait(250)
    assert seen == []
    assert not tick.is_running
