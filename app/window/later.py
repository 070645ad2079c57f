"""Composes after the first paint what the first look at the window does not need."""

from __future__ import annotations

from collections import deque
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Step(NamedTuple):
    """A part of the application that comes later.

    Attributes:
        compose: Makes it.
        modules: Of what that imports, those that take a while; each is loaded in a turn of its
            own before, so that none of these turns is long.
    """

    compose: Callable[[], object]
    modules: tuple[str, ...] = ()


class Later(QObject):
    """Takes its steps in order, one in a turn of the event loop, so that typing never waits long.

    All of it happens on the main thread, imports as well. PySide makes the classes of Qt that a
    module names, and those that it derives, while the module is loaded. On another thread that
    ends the process when the main one paints or handles an event at that moment.
    """

    def __init__(self, steps: Iterable[Step], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._turns: deque[Callable[[], object]] = deque()
        for step in steps:
            self._turns.extend(partial(import_module, name) for name in step.modules)
            self._turns.append(step.compose)
        # It waits behind events of the window, unlike a queued call.
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._take_turn)

    @property
    def is_done(self) -> bool:
        """Whether every step was taken."""
        return not self._turns

    def begin(self) -> None:
        """Start; for when the window is painted. A second call does nothing."""
        if self._turns:
            self._timer.start()

    def add(self, compose: Callable[[], None]) -> None:
        """Do something after the steps there are: at once when all were taken."""
        if self.is_done:
            compose()
            return
        self._turns.append(compose)

    def finish(self) -> None:
        """Take all steps that are left now: something was asked for that needs them."""
        self._timer.stop()
        while self._turns:
            self._turns.popleft()()

    def _take_turn(self) -> None:
        self._turns.popleft()()
        if not self._turns:
            self._timer.stop()
