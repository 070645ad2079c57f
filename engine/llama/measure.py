"""What a request would hold and how long until its first token, without asking the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.llama.prompt import PromptLayout
    from engine.llama.reuse import KvLedger
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Measured, Prompt


class PrefillPace:
    """How fast this context reads, learned from its own prefills. Thread-safe."""

    def note(self, tokens: int, seconds: float, *, depth: int) -> None:
        """A slice of `tokens` was read in `seconds`, with `depth` tokens before it."""
        raise NotImplementedError

    def tokens_per_second(self) -> float | None:
        """The latest speed; None until something was read."""
        raise NotImplementedError

    def seconds_for(self, tokens: int, *, depth: int) -> float | None:
        """How long reading `tokens` more after `depth` will take; None when not known yet."""
        raise NotImplementedError


class PromptMeasure:
    """Answers `Measure` on any thread while a reply is written."""

    def __init__(
        self, layout: PromptLayout, ledger: KvLedger, pace: PrefillPace, *, n_ctx: int
    ) -> None:
        raise NotImplementedError

    def measure(self, request_id: int, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Segments in prompt order with cached counts, then the reply's reserve and what is free.

        Raises:
            UserError: As `PromptLayout.lay_out`.
        """
        raise NotImplementedError
