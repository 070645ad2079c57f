"""What reading in parts does on its thread: planning, and the reading itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.documents.in_parts import answering, sources_of
from app.documents.readings import kept_notes
from engine.documents.parts.planning import Planner
from engine.documents.parts.reading import PartsReading
from engine.documents.parts.results import PartsRead, Plan, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.reading.engine import WaitingEngine
    from app.reading.request import ReadingRequest
    from engine.documents.parts.cost import Rates
    from engine.documents.parts.results import Progress


class ReadingWork:
    """Called on one thread other than the main one.

    Args:
        engine: Who is asked.
        cancelled: Whether to stop.
        on_progress: Called for every few tokens, on this thread or the main one.
    """

    def __init__(
        self,
        engine: WaitingEngine,
        cancelled: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._engine = engine
        self._cancelled = cancelled
        self._on_progress = on_progress

    def planned(self, request: ReadingRequest, rates: Rates) -> Plan | StoppedError:
        """What there is to read, and what that will cost."""
        kept = kept_notes(str(request.chat_id))
        kept.forget_old()
        try:
            measured = self._engine.measure(request.without, request.generation)
            planner = Planner(
                self._engine,
                kept,
                model_id=self._engine.model_id,
                generation=request.generation,
                cancelled=self._cancelled,
            )
            return planner.plan(
                request.question,
                sources_of(request.parts),
                answering(measured, request.generation),
                rates,
            )
        except StoppedError as stopped:
            return stopped

    def all_read(
        self, request: ReadingRequest, plan: Plan
    ) -> tuple[PartsRead, PartsReading] | StoppedError:
        """Read everything; the reading with it, which keeps notes."""
        reading = PartsReading(
            self._engine,
            kept_notes(str(request.chat_id)),
            plan,
            model_id=self._engine.model_id,
            generation=request.generation,
            cancelled=self._cancelled,
            on_progress=self._on_progress,
        )
        try:
            return reading.run(), reading
        except StoppedError as stopped:
            return stopped
