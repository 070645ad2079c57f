"""The watch that fails tests which leave something running, itself put to the test."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread, QTimer

from tests.leaks import LeakWatch

if TYPE_CHECKING:
    import pytest
    from pytestqt.qtbot import QtBot


def test_thread_left_running_is_named() -> None:
    watch = LeakWatch(grace_s=0.1)
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="forgotten")
    thread.start()
    assert watch.leaks() == ["thread 'forgotten' still runs"]
    release.set()
    thread.join()


def test_child_left_running_is_named_and_ended() -> None:
    watch = LeakWatch(grace_s=0.1)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        (line,) = watch.leaks()
        assert line.startswith(f"process {child.pid} still runs")
        assert child.wait(timeout=5) != 0


def test_active_timer_is_named_with_its_place(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = LeakWatch(grace_s=0.1)
    watch.watch_qt(monkeypatch)
    timer = QTimer()
    timer.start(1000)
    (line,) = watch.leaks()
    assert line.startswith("QTimer still runs")
    assert "test_active_timer_is_named_with_its_place" in line
    timer.stop()
    assert watch.leaks() == []


def test_timer_of_a_deleted_parent_is_no_leak(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = LeakWatch(grace_s=0.1)
    watch.watch_qt(monkeypatch)
    parent = QObject()
    QTimer(parent).start(1000)
    parent.deleteLater()
    assert watch.leaks() == []


def test_finished_qt_thread_is_no_leak(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = LeakWatch(grace_s=0.1)
    watch.watch_qt(monkeypatch)
    thread = QThread()
    thread.start()
    thread.quit()
    assert thread.wait(5000)
    assert watch.leaks() == []
