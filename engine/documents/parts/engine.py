"""What reading in parts asks of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.settings import GenerationSettings
    from engine.worker.protocol import Event, Finished, Measured, Prompt


class Engine(Protocol):
    """An engine with a model, which may die and come back. Calls wait, and raise `UserError`."""

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request."""

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts."""

    def generate(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        on_event: Callable[[Event], None],
    ) -> Finished:
        """Write a reply; text and progress go to `on_event`."""

    def revive(self) -> None:
        """Start it again with the same model if it died; at once when it lives."""
