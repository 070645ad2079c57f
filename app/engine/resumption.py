"""What becomes of a reply when a node takes the engine with it and is there again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.worker.protocol import Delta, Finished, Removed

if TYPE_CHECKING:
    from engine.worker.death import WorkerExit
    from engine.worker.protocol import Event, Generate


class Resumption:
    """Keeps what was asked until something of the answer is there. Main thread.

    A node that was started anew holds nothing of the model, which shows with the next question: the
    engine ends. It can be loaded again, and the question asked again, as long as nothing was
    written that would be written twice. What fails again was not saved by that.
    """

    def __init__(self) -> None:
        self._asked: Generate | None = None
        self._has_come_back = False
        self.waiting: Generate | None = None
        """A question that is asked again once the model is loaded."""

    def ask(self, command: Generate) -> None:
        """A question went to the engine."""
        self._asked = command

    def hear(self, event: Event) -> None:
        """Something came of the answer."""
        if isinstance(event, Delta | Removed | Finished):
            self._asked = None
            self._has_come_back = False

    def begin(self, ended: WorkerExit) -> bool:
        """Whether to load the model again after an end."""
        if ended.lost_node is None or ended.lost_node.code != "node.failed" or self._has_come_back:
            return False
        self._has_come_back = True
        self.waiting, self._asked = self._asked, None
        return True

    def take(self) -> Generate | None:
        """What was waiting; it does not wait any longer."""
        waiting, self.waiting = self.waiting, None
        return waiting
