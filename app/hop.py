"""Brings a call from any thread to the main thread."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class MainThread(QObject):
    """Lives on the main thread; `post` may be called from any other."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._posted.connect(self._on_posted, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], None]) -> None:
        """Run `call` on the main thread, soon."""
        try:
            self._posted.emit(call)
        except RuntimeError:
            # The window is gone; so is everything the call would have touched.
            return

    def when_done(
        self,
        future: Future[T],
        on_result: Callable[[T], None] | None = None,
        on_error: Callable[[UserError], None] | None = None,
    ) -> None:
        """Hand a future's outcome to the main thread. A bug in the work is raised there."""

        def done(future: Future[T]) -> None:
            try:
                result = future.result()
            except CancelledError:
                return
            except UserError as error:
                problem = error
                if on_error is not None:
                    self.post(lambda: on_error(problem))
            except Exception as error:  # noqa: BLE001  raised again on the main thread
                bug = error
                self.post(lambda: _raise(bug))
            else:
                if on_result is not None:
                    self.post(lambda: on_result(result))

        future.add_done_callback(done)

    @staticmethod
    def _on_posted(call: Callable[[], None]) -> None:
        call()


def _raise(error: Exception) -> None:
    raise error
