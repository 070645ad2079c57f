"""The one route for messages to the user: everything that is said outside its own place.

A sentence that belongs to something on the screen (a reply, a chip, a setting) is shown there. All
others come through here, so that they look the same, queue up and can be read again in the log.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.errors import Problem, UserError

_log = logging.getLogger(__name__)


class Notices(QObject):
    """Main thread; the window shows what is emitted.

    Signals:
        said(str text, str fix, str tone): `tone` is ``plain`` or ``bad``.
        undo_offered(str text, object undo): Something was deleted; `undo` brings it back.
        offered(str text, str label, object accept, object decline): Something can be done now.
        undo_passed(): Nothing that was deleted can be brought back any more.
    """

    said = Signal(str, str, str)
    undo_offered = Signal(str, object)
    offered = Signal(str, str, object, object)
    undo_passed = Signal()

    def say(self, text: str) -> None:
        """Something the user should know."""
        self.said.emit(text, "", "plain")

    def problem(self, problem: Problem) -> None:
        """Something is wrong, with what to do about it."""
        _log.warning("%s %s", problem.code, problem.detail)
        self.said.emit(problem.message, problem.fix, "bad")

    def error(self, error: UserError) -> None:
        """The same, from a raised error."""
        self.problem(error.problem)

    def undoable(self, text: str, undo: Callable[[], None]) -> None:
        """Something was deleted and can be brought back for a while."""
        self.undo_offered.emit(text, undo)

    def offer(
        self, text: str, label: str, accept: Callable[[], None], decline: Callable[[], None]
    ) -> None:
        """Something can be done now; it is asked until one of the two is chosen."""
        self.offered.emit(text, label, accept, decline)
