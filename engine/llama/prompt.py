"""Lays a prompt out as tokens: system prompt and documents in front, the question at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.llama.templates import ChatTemplate
    from engine.llama.vocabulary import Tokens, Vocabulary
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt, Segment


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A prompt as the model will read it.

    Attributes:
        tokens: All of it.
        segments: What the tokens are for, in order; their counts add up to ``len(tokens)``.
        marks: Rising positions worth coming back to: ends of documents and of turns.
        thinking: Whether the reply starts inside a reasoning block.
    """

    tokens: Tokens
    segments: tuple[Segment, ...]
    marks: tuple[int, ...]
    thinking: bool


class PromptLayout:
    """Lays out prompts for one model. Thread-safe; remembers the tokens of long texts."""

    def __init__(self, template: ChatTemplate, vocabulary: Vocabulary) -> None:
        self.template = template
        self.vocabulary = vocabulary

    def lay_out(self, prompt: Prompt, generation: GenerationSettings) -> LaidOut:
        """The tokens of a prompt.

        Raises:
            UserError: ``engine.template_failed`` when the template refuses these turns.
        """
        raise NotImplementedError

    def count(self, text: str) -> int:
        """Tokens of a text by itself, remembered for when it is laid out."""
        raise NotImplementedError
