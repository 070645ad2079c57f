"""Everything that belongs to one loaded model, and the order in which it is freed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.llama.guess_costs import Costs
from engine.llama.reuse_memory import memory_class

if TYPE_CHECKING:
    from engine.llama.context import Context
    from engine.llama.draft_model import DraftModel
    from engine.llama.measure import PrefillPace, PromptMeasure
    from engine.llama.model import Model
    from engine.llama.prefill import SliceControl
    from engine.llama.projector import Projector
    from engine.llama.prompt import PromptLayout
    from engine.llama.reuse import KvLedger
    from engine.llama.templates import ChatTemplate
    from engine.llama.vocabulary import Vocabulary
    from engine.settings import EngineSettings
    from engine.worker.protocol import ContextInfo, DeviceMemory, MemoryClass


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
    lookup_costs: Costs = field(default_factory=Costs)
    draft: DraftModel | None = None
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
        """What was really made: where the model, its draft and its projector went."""
        info = self.context.info()
        if self.draft is not None:
            info = replace(info, memory=added(info.memory, self.draft.memory()))
        taken = self.projector.bytes_by_device if self.projector is not None else {}
        return replace(info, projector_bytes=taken, shares=self.shares)

    def close(self) -> None:
        """Free everything, the model last."""
        self.ledger.forget()
        self.context.close()
        self.close_additions()
        self.model.close()

    def close_additions(self) -> None:
        """Free what was loaded beside the model: a draft model, a projector."""
        if self.draft is not None:
            self.draft.close()
        if self.projector is not None:
            self.projector.close()


def added(
    rows: tuple[DeviceMemory, ...], more: tuple[DeviceMemory, ...]
) -> tuple[DeviceMemory, ...]:
    """Two accounts of memory as one; RAM has a row for each kind of buffer."""
    found = {(row.id, row.name): row for row in rows}
    for row in more:
        known = found.get((row.id, row.name))
        if known is not None:
            row = replace(
                known,
                weights_bytes=known.weights_bytes + row.weights_bytes,
                kv_bytes=known.kv_bytes + row.kv_bytes,
                compute_bytes=known.compute_bytes + row.compute_bytes,
            )
        found[row.id, row.name] = row
    return tuple(found.values())
