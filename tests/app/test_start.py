"""A window that is composed in two goes: what the first paint shows stays, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.session import State
from app.store.chat_store import ChatStore
from app.window.desktop import Desktop
from app.window.later import Later, Step
from tests.support.desk import PATIENCE_S, faulty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot


ROOT = Path(__file__).parents[2]
# Slow to load, and of no use before the first paint; all of it comes after that by itself.
_NOT_AT_START = (
    *("numpy", "pyqtgraph", "markdown_it", "pypdfium2", "psutil", "pygments", "matplotlib"),
    *("asyncio", "email", "http.client", "importlib.metadata", "logging.handlers"),
    *("hashlib", "multiprocessing", "pickle", "socket", "ssl", "subprocess"),
    *("app.engine.bridge", "app.engine.pane_controller", "app.engine.plan_controller"),
    *("widgets.chat.message", "widgets.engine_pane.pane", "widgets.models.page"),
    *("widgets.dialogs.log_view", "widgets.library.page", "widgets.toasts"),
    *("app.reading.work", "widgets.dialogs.base", "widgets.documents.passages_panel"),
    *("app.chat.answering", "app.chat.views", "app.documents.passages", "widgets.file_dialogs"),
)
# PySide makes a class when it is first named. These take longest, most of all `QStyle`: 6 ms.
_NOT_MADE_AT_START = ("QStyle", "QGradient", "QFileDialog", "QUrl", "QTextCursor")
# Each takes about 0.4 ms: one more is no harm, twenty are. What can wait belongs to a step of
# `Desktop._later_steps`, or is made when it is first asked for, like the pages of `MainWindow`.
_MOST_MODULES = 145
_FIRST_PAINT = """
import os, sys
from app.window import main
application = main._application()
from app.window.desktop import Desktop
desktop = Desktop(application)
desktop.window.show()
desktop.open_first()
application.processEvents()
import linecache
from PySide6 import QtCore, QtGui, QtWidgets
classes = [name for module in (QtCore, QtGui, QtWidgets) for name in dict.keys(vars(module))]
print(*sys.modules, *linecache.cache, *classes, flush=True)
os._exit(0)
"""
# What is loaded on other threads from the start to a reply's first colours: modules and where.
_LOADED_ELSEWHERE = """
import os, sys, threading, time
class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            elsewhere.add(name)
elsewhere = set()
sys.meta_path.insert(0, Watch())
from app.window import main
application = main._application()
from app.window.desktop import Desktop
desktop = Desktop(application)
desktop.window.show()
desktop.open_first()
typesetter = desktop.chat_view.typesetter
while not desktop.later.is_done or typesetter.spans("python", "pass") is None:
    application.processEvents()
print(*elsewhere.intersection(sys.modules), flush=True)
os._exit(0)
"""
_COLLECTS = """
import gc, os, sys
from PySide6.QtWidgets import QApplication
from app.window import main
def used(application):
    desktop = sys._getframe(1).f_locals["desktop"]
    at_first = gc.isenabled()
    while not desktop.later.is_done:
        application.processEvents()
    print(f"first={at_first}", f"then={gc.isenabled()}", flush=True)
    os._exit(0)
QApplication.exec = used
main.main([])
"""
_LOADS_NO_QT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert not {"PySide6", "shiboken6"} & set(sys.modules), name
"""


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
    places = _places(desktop.window)
    assert len(places) > 15
    QTest.keyClicks(desktop.chat_view.composer.input, "early")
    qtbot.waitUntil(lambda: desktop.later.is_done, timeout=int(PATIENCE_S * 1000))
    qtbot.waitUntil(lambda: "RAM" in _names(desktop), timeout=int(PATIENCE_S * 1000))
    after = _places(desktop.window)
    assert {name: after.get(name) for name in places} == places
    assert len(after) > len(places) + 20
    assert desktop.chat_view.composer.input.toPlainText() == "early"


def test_a_model_chosen_before_the_rest_is_there_is_planned(
    desktop: Desktop, qtbot: QtBot, tmp_path: Path
) -> None:
    desktop.window.show()
    while not hasattr(desktop, "engine_side"):
        QApplication.processEvents()
    assert not desktop.later.is_done
    asked: list[object] = []
    desktop.engine_side.pane.edited.connect(
        lambda _settings: asked.append(desktop.engine_side.planning)
    )
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
    later = Later([Step(partial(taken.append, name), ("json", "csv")) for name in "abc"])
    later.begin()
    later.add(lambda: taken.append("d"))
    assert taken == []
    qtbot.waitUntil(lambda: len(taken) == 4)
    assert taken == list("abcd")
    later.add(lambda: taken.append("at once"))
    later.finish()
    assert taken == [*"abcd", "at once"]


def test_other_threads_load_nothing_that_makes_qt_classes(tmp_path: Path) -> None:
    """PySide makes them as a module is loaded; beside a main thread that paints, this crashes."""
    elsewhere = _said(_LOADED_ELSEWHERE, tmp_path)
    assert {"markdown_it", "pygments"} <= elsewhere
    _said(_LOADS_NO_QT, tmp_path, *sorted(elsewhere))


def test_garbage_is_looked_for_once_all_is_composed(tmp_path: Path) -> None:
    assert _said(_COLLECTS, tmp_path) == {"first=False", "then=True"}


def test_the_first_paint_loads_nothing_that_it_does_not_show(tmp_path: Path) -> None:
    loaded = _said(_FIRST_PAINT, tmp_path)
    assert loaded & {*_NOT_AT_START, *_NOT_MADE_AT_START} == set()
    assert {"QIcon", "QListView"} <= loaded
    # Nor is source read, as PySide does with each module unless Python's `__import__` is put back.
    sources = tuple(f"{ROOT / part}{os.sep}" for part in ("app", "engine", "widgets"))
    assert [name for name in loaded if name.startswith(sources)] == []
    own = {name for name in loaded if name.split(".")[0] in ("app", "engine", "widgets")}
    assert {"app.window.desktop", "widgets.chat.composer", "widgets.sidebar.sidebar"} <= own
    assert len(own) <= _MOST_MODULES, sorted(own)


def test_a_second_start_says_so_until_it_is_interrupted(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "data").mkdir()
    first = ChatStore(tmp_path / "data" / "chats.sqlite3")
    second = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env={
            **os.environ,
            "LEADLINE_HOME": str(tmp_path),
            "TMPDIR": str(temporary),
            "QT_QPA_PLATFORM": "offscreen",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    with second, closing(first):
        try:
            assert second.stderr is not None
            assert "already" in second.stderr.readline()
            glyphs = tmp_path / "cache" / "glyphs"
            begun = time.monotonic()
            while not list(glyphs.glob("*/chevron-dim.svg")):
                assert time.monotonic() - begun < PATIENCE_S
                time.sleep(0.05)
            # Now the message comes; before it is there, the signal ends the process by itself.
            time.sleep(1.0)
            while second.poll() is None and time.monotonic() - begun < PATIENCE_S:
                second.send_signal(signal.SIGINT)
                time.sleep(0.5)
            assert second.returncode in (1, -signal.SIGINT)
            assert list(temporary.iterdir()) == []
        finally:
            second.kill()


def _said(program: str, home: Path, *arguments: str) -> set[str]:
    """The words that a new process prints which runs `program`."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "LEADLINE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return set(done.stdout.split())


def _places(pane: QWidget) -> dict[str, tuple[int, int, int, int]]:
    """Where each named part that is seen stands."""
    found = {}
    for part in pane.findChildren(QWidget):
        name = part.objectName()
        if name and part.isVisible():
            at = part.mapTo(pane, QPoint(0, 0))
            found[name] = (at.x(), at.y(), part.width(), part.height())
    return found


def _names(desktop: Desktop) -> list[str]:
    return [device.name for device in desktop.window.engine.plan.plan().devices]
