"""From the pieces of tokens to text that can be shown: characters, stop strings, thinking.

Work per token depends on the tokens' own length, never on how much was written before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ThinkTags:
    """What opens and closes a reasoning block in the model's text."""

    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class Run:
    """New text, all of it reasoning or none of it."""

    text: str
    thinking: bool


class ReplyStream:
    """The text of one reply as its tokens come.

    Attributes:
        stopped: Whether a stop string was met; nothing is shown after it.
        thinking: Whether the text stands inside a reasoning block at the moment.
    """

    stopped: bool
    thinking: bool

    def __init__(
        self, stop: Sequence[str], tags: Sequence[ThinkTags] = (), *, thinking: bool = False
    ) -> None:
        """Args: stop strings, known think tags, whether the prompt already opened a block."""
        raise NotImplementedError

    def feed(self, piece: bytes) -> tuple[Run, ...]:
        """Take the bytes of one token; give what can be shown now, often nothing."""
        raise NotImplementedError

    def finish(self) -> tuple[Run, ...]:
        """The reply is over: give what was held back (a half stop string, a half character)."""
        raise NotImplementedError
