"""Finds what a test left running: threads, child processes, Qt timers and Qt threads.

Qt is only looked at where a test has imported it; the engine's tests run without.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

# Python's own helper of multiprocessing; it lives as long as the interpreter.
_KEPT_PROCESS = "multiprocessing.resource_tracker"


class LeakWatch:
    """What runs before a test, compared with what runs after it. One per test."""

    def __init__(self, grace_s: float = 30.0) -> None:
        self._grace_s = grace_s
        self._threads = set(threading.enumerate())
        self._process = psutil.Process()
        self._children = set(self._process.children(recursive=True))
        self._qt_objects: list[tuple[weakref.ref[Any], str]] = []

    def watch_qt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Note every `QTimer` and `QThread` that is started, and where."""
        for name in ("QTimer", "QThread"):
            qt_class = getattr(sys.modules["PySide6.QtCore"], name)
            monkeypatch.setattr(qt_class, "start", self._noting(qt_class.start))

    def leaks(self) -> list[str]:
        """One line for each thing that still runs after a moment of grace."""
        return self._left_threads() + self._left_children() + self._left_qt_objects()

    def _noting(self, start: Callable[..., None]) -> Callable[..., None]:
        def noted(qt_object: Any, *args: Any) -> None:
            place = "".join(traceback.format_stack(sys._getframe(1), limit=2)).strip()
            self._qt_objects.append((weakref.ref(qt_object), place))
            start(qt_object, *args)

        return noted

    def _left_threads(self) -> list[str]:
        new = [thread for thread in threading.enumerate() if thread not in self._threads]
        until = time.monotonic() + self._grace_s
        for thread in new:
            thread.join(max(0.0, until - time.monotonic()))
        return [f"thread {thread.name!r} still runs" for thread in new if thread.is_alive()]

    def _left_children(self) -> list[str]:
        new = [
            child
            for child in self._process.children(recursive=True)
            if child not in self._children and _KEPT_PROCESS not in _command_of(child)
        ]
        _, alive = psutil.wait_procs(new, timeout=self._grace_s)
        lines = [f"process {child.pid} still runs: {_command_of(child)}" for child in alive]
        for child in alive:
            child.kill()  # or it would burden every test after this one
        return lines

    def _left_qt_objects(self) -> list[str]:
        if not self._qt_objects:
            return []
        self._delete_deferred()
        return [
            f"{type(qt_object).__name__} still runs, started at\n{place}"
            for reference, place in self._qt_objects
            if (qt_object := reference()) is not None and _qt_object_runs(qt_object, self._grace_s)
        ]

    @staticmethod
    def _delete_deferred() -> None:
        """Carry out `deleteLater`, which no event loop is there to do between tests."""
        core = sys.modules["PySide6.QtCore"]
        core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
        gc.collect()


def _qt_object_runs(qt_object: Any, grace_s: float) -> bool:
    if not sys.modules["shiboken6"].isValid(qt_object):
        return False
    if hasattr(qt_object, "isActive"):
        return bool(qt_object.isActive())
    return not qt_object.wait(int(grace_s * 1000))


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "(gone)"
