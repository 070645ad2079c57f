"""The chat template: from turns to the text a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.errors import Problem
    from engine.llama.stream import ThinkTags
    from engine.llama.vocabulary import Vocabulary
    from engine.worker.protocol import Turn


class ChatTemplate:
    """A template that has been tried and works.

    Attributes:
        source: Where it comes from.
        can_think: Whether the model writes reasoning blocks.
        tags: What encloses them, for `ReplyStream`.
        notices: What the user should know (missing or broken template).
    """

    source: Literal["file", "model", "fallback"]
    can_think: bool
    tags: tuple[ThinkTags, ...]
    notices: tuple[Problem, ...]

    def render(self, turns: Sequence[Turn], *, thinking: bool = True) -> str:
        """The text up to where the reply begins."""
        raise NotImplementedError


def chat_template(model: int, vocabulary: Vocabulary, override_path: str = "") -> ChatTemplate:
    """The template to use: the file's in the settings, the model's own, or a fallback."""
    raise NotImplementedError
