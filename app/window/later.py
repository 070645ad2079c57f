"""Composes after the first paint what the first look at the window does not need."""

from __future__ import annotations

from collections import deque
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, Qt, Signal

from widgets.chat.idleworker import IdleWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Step(NamedTuple):
    """A part of the application that comes later.

    Attributes:
        compose: Makes it, on the main thread.
        modules: What that imports; loaded before, on a thread.
    """

    compose: Callable[[], object]
    modules: tuple[str, ...] = ()


class Later(QObject):
    """Takes its steps in order, one in a turn of the event loop, so that typing never waits long.

    Main thread; modules are loaded on a thread that yields to it.
    """

    _loaded = Signal()

    def __init__(self, steps: Iterable[Step], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps = deque(steps)
        self._has_begun = False
        self._worker = IdleWorker()
        self._loaded.connect(self._on_loaded, Qt.ConnectionType.QueuedConnection)

    @property
    def is_done(self) -> bool:
        """Whether every step was taken."""
        return not self._steps

    def begin(self) -> None:
        """Start; for when the window is painted. A second call does nothing."""
        if self._has_begun:
            return
        self._has_begun = True
        self._load_next()

    def add(self, compose: Callable[[], None]) -> None:
        """Do something after the steps there are: at once when all were taken."""
        if self.is_done:
            compose()
            return
        self._steps.append(Step(compose))

    def finish(self) -> None:
        """Take all steps that are left now: something was asked for that needs them."""
        while self._steps:
            self._steps.popleft().compose()
        self._worker.close()

    def _load_next(self) -> None:
        # Not while a step is composed: the two would take turns, and typing wait for both.
        if self._steps:
            for name in self._steps[0].modules:
                self._worker.submit(partial(import_module, name))
            self._worker.submit(self._say_loaded)

    def _say_loaded(self) -> None:
        try:
            self._loaded.emit()
        except RuntimeError:
            # The window is gone.
            return

    def _on_loaded(self) -> None:
        if self._steps:
            self._steps.popleft().compose()
            self._load_next()
