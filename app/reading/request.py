"""What the chat hands over when its documents have to be read before a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.chat.prompting import PromptPart
    from engine.settings import GenerationSettings
    from engine.worker.protocol import ModelInfo, Prompt


class ReadingRequest(NamedTuple):
    """A question that needs its documents read first.

    Attributes:
        message_id: The reply that will come from the notes.
        without: The request that will answer, without notes.
    """

    chat_id: int
    message_id: int
    question: str
    parts: Sequence[PromptPart]
    without: Prompt
    generation: GenerationSettings


def model_id(model: ModelInfo) -> str:
    """Names a model, so that its notes are never taken for another's."""
    return f"{model.name}:{model.description}:{model.size_bytes}:{model.vocabulary_id}"
