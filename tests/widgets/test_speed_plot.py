"""The speed plot draws what it was given, with gaps as gaps, on the tick alone."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import pytest

from widgets import theme
from widgets.engine_pane.speed_plot import SpeedPlot, bands
from widgets.engine_pane.viewdata import SpeedSample
from widgets.tick import RepaintTick

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

    from widgets.engine_pane.viewdata import Phase


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
    assert plot.heights() == []
    tick.ticked.emit()
    assert len(plot.heights()) == 1


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
    heights = plot.heights()
    assert heights[0] == 0
    assert isnan(heights[2])
    assert heights[1] > heights[3] > 0
    assert len(heights) == 4


def test_old_samples_fall_out(plot: SpeedPlot, tick: RepaintTick) -> None:
    for at in range(1000):
        plot.append(SpeedSample(at, "write", float(at)))
    tick.ticked.emit()
    assert len(plot.heights()) == 600


def test_the_line_is_broken_at_a_gap_and_follows_the_theme(
    plot: SpeedPlot, tick: RepaintTick, qapp: QApplication
) -> None:
    for at in range(61):
        plot.append(SpeedSample(at, "write", None if 25 <= at <= 35 else 40.0))
    tick.ticked.emit()
    assert _inked_columns(plot) == {"left", "right"}
    theme.apply(qapp, "dark")
    assert _inked_columns(plot) == {"left", "right"}
    theme.apply(qapp, "light")


def test_a_band_ends_where_the_line_does(plot: SpeedPlot, tick: RepaintTick) -> None:
    for at in range(31):
        plot.append(SpeedSample(at, "load"))
    tick.ticked.emit()
    picture = plot.grab().toImage()
    beside = picture.pixel(250, 10)
    # Thirty of sixty steps: the middle of 300 pixels.
    assert picture.pixel(147, 10) != beside
    assert picture.pixel(153, 10) == beside


def test_a_load_alone_is_told_from_a_reply(plot: SpeedPlot, tick: RepaintTick) -> None:
    def is_blank() -> bool:
        picture = plot.grab().toImage()
        colours = {picture.pixel(x, y) for x in range(40, 120) for y in range(picture.height())}
        return len(colours) == 1

    plot.append(SpeedSample(0, "load"))
    tick.ticked.emit()
    assert not is_blank(), "no word beside the band"
    plot.append(SpeedSample(1, "read"))
    tick.ticked.emit()
    assert is_blank()


def _inked_columns(plot: SpeedPlot) -> set[str]:
    """In which parts of the picture the line's colour is found: left, middle, right."""
    picture = plot.grab().toImage()
    ink = theme.color("accent").rgb()
    parts = {"left": (20, 110), "middle": (140, 160), "right": (190, 280)}
    return {
        part
        for part, (first, end) in parts.items()
        if any(
            _is_near(picture.pixel(x, y), ink)
            for x in range(first, end)
            for y in range(picture.height())
        )
    }


def _is_near(one: int, other: int) -> bool:
    return all(abs((one >> bits & 255) - (other >> bits & 255)) < 40 for bits in (0, 8, 16))


def test_the_tick_pauses_when_hidden(qtbot: QtBot, qapp: QApplication) -> None:
    tick = RepaintTick()
    seen: list[int] = []
    tick.drives(lambda: seen.append(1))
    tick.set_visible(True)
    qtbot.waitUntil(lambda: len(seen) >= 2, timeout=30_000)
    tick.set_visible(False)
    seen.clear()
    qtbot.wait(250)
    assert seen == []
    assert not tick.is_running
