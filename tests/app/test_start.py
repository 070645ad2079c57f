"""A window that is composed in two goes: what the first paint shows stays, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.session import State
from app.window.desktop import Desktop
from app.window.later import Later, Step
from tests.support.desk import PATIENCE_S, faulty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from widgets.engine_pane.pane import EnginePane

ROOT = Path(__file__).parents[2]
_SLOW = ("numpy", "pyqtgraph", "markdown_it", "pypdfium2", "psutil", "pygments", "matplotlib")


@pytest.fixture
def desktop(qapp: QApplication) -> Iterator[Desktop]:
    made = Desktop(qapp, worker_command=faulty())
    yield made
    made.close()
    made.window.deleteLater()
    made.deleteLater()


def test_the_rest_comes_after_the_first_paint_and_nothing_moves(
    desktop: Desktop, qtbot: QtBot
) -> None:
    assert not desktop.later.is_done
    desktop.window.resize(1280, 800)
    desktop.window.show()
    desktop.open_first()
    QApplication.processEvents()
    places = _places(desktop.window.engine)
    assert len(places) > 20
    QTest.keyClicks(desktop.chat_view.composer.input, "early")
    qtbot.waitUntil(lambda: desktop.later.is_done, timeout=int(PATIENCE_S * 1000))
    qtbot.waitUntil(lambda: "RAM" in _names(desktop), timeout=int(PATIENCE_S * 1000))
    assert _places(desktop.window.engine) == places
    assert desktop.chat_view.composer.input.toPlainText() == "early"


def test_a_model_chosen_before_the_rest_is_there_is_planned(
    desktop: Desktop, qtbot: QtBot, tmp_path: Path
) -> None:
    asked: list[object] = []
    desktop.pane.edited.connect(lambda _settings: asked.append(desktop.planning))
    model = tmp_path / "fake.gguf"
    model.write_bytes(b"GGUF")
    desktop.window.engine.model_chosen.emit(str(model))
    assert desktop.later.is_done
    assert asked
    qtbot.waitUntil(
        lambda: desktop.engine.session.state is State.READY, timeout=int(PATIENCE_S * 1000)
    )


def test_a_window_that_starts_minimised_is_composed_as_well(desktop: Desktop, qtbot: QtBot) -> None:
    desktop.open_first()
    assert not desktop.later.is_done
    qtbot.waitUntil(lambda: desktop.later.is_done, timeout=int(PATIENCE_S * 1000))


def test_steps_are_taken_in_order_and_once(qapp: QApplication, qtbot: QtBot) -> None:
    taken: list[str] = []
    later = Later([Step(partial(taken.append, name), ("json",)) for name in "abc"])
    later.begin()
    later.add(lambda: taken.append("d"))
    assert taken == []
    qtbot.waitUntil(lambda: len(taken) == 4)
    assert taken == list("abcd")
    later.add(lambda: taken.append("at once"))
    later.finish()
    assert taken == [*"abcd", "at once"]


def test_the_first_window_loads_no_slow_library() -> None:
    program = (
        "import sys, app.window.main, app.window.desktop\n"
        f"print([name for name in {_SLOW} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def _places(pane: EnginePane) -> dict[str, tuple[int, int, int, int]]:
    """Where each named part of the pane stands."""
    found = {}
    for part in pane.findChildren(QWidget):
        name = part.objectName()
        if name and part.isVisible():
            at = part.mapTo(pane, QPoint(0, 0))
            found[name] = (at.x(), at.y(), part.width(), part.height())
    return found


def _names(desktop: Desktop) -> list[str]:
    return [device.name for device in desktop.window.engine.plan.plan().devices]
