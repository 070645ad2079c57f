"""Everything that belongs to one loaded model, and the order in which it is freed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.llama.context import Context
    from engine.llama.measure import PrefillPace, PromptMeasure
    from engine.llama.model import Model
    from engine.llama.prompt import PromptLayout
    from engine.llama.reuse import KvLedger
    from engine.llama.templates import ChatTemplate
    from engine.llama.vocabulary import Vocabulary
    from engine.settings import EngineSettings


@dataclass
class Loaded:
    """A model with its context; owned by the engine."""

    settings: EngineSettings
    model: Model
    vocabulary: Vocabulary
    template: ChatTemplate
    layout: PromptLayout
    context: Context
    ledger: KvLedger
    pace: PrefillPace
    measure: PromptMeasure

    @property
    def on_cpu(self) -> bool:
        """Whether everything is computed on the CPU, where a decode can be aborted."""
        return not self.model.devices

    def close(self) -> None:
        """Free context and model."""
        self.ledger.forget()
        self.context.close()
        self.model.close()
