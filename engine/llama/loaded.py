"""Everything that belongs to one loaded model, and the order in which it is freed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.llama.reuse_memory import memory_class

if TYPE_CHECKING:
    from engine.llama.context import Context
    from engine.llama.measure import PrefillPace, PromptMeasure
    from engine.llama.model import Model
    from engine.llama.prefill import SliceControl
    from engine.llama.projector import Projector
    from engine.llama.prompt import PromptLayout
    from engine.llama.reuse import KvLedger
    from engine.llama.templates import ChatTemplate
    from engine.llama.vocabulary import Vocabulary
    from engine.settings import EngineSettings
    from engine.worker.protocol import ContextInfo, MemoryClass


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
    slices: SliceControl
    measure: PromptMeasure
    projector: Projector | None = None
    shares: tuple[int, ...] = ()

    @property
    def on_cpu(self) -> bool:
        """Whether everything is computed on the CPU, where a decode can be aborted."""
        return not self.model.devices

    @property
    def memory_class(self) -> MemoryClass:
        """Which kind of memory the context has."""
        return memory_class(self.model.handle)

    def context_info(self) -> ContextInfo:
        """What was really made, with where the model and its projector went."""
        taken = self.projector.bytes_by_device if self.projector is not None else {}
        return replace(self.context.info(), projector_bytes=taken, shares=self.shares)

    def close(self) -> None:
        """Free context, projector and model."""
        self.ledger.forget()
        self.context.close()
        if self.projector is not None:
            self.projector.close()
        self.model.close()
