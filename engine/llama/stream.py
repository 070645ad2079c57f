"""From the pieces of tokens to text that can be shown: characters, stop strings, thinking.

Work per token depends on the tokens' own length, never on how much was written before.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# A reply may begin with blanks before its reasoning block; more than these are text.
_MOST_LEADING_BLANKS = 64


@dataclass(frozen=True, slots=True)
class ThinkTags:
    """What opens and closes a reasoning block in the model's text.

    A tag with an empty `closing` is a header that is left out of the text and opens nothing.
    """

    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class Run:
    """New text, all of it reasoning or none of it."""

    text: str
    thinking: bool


class ReplyStream:
    """The text of one reply as its tokens come.

    A reasoning block is recognised where the reply begins; a model that writes about ``<think>``
    further on is quoted as it is. Stop strings count in the answer, not in the reasoning.

    Args:
        stop: Stop strings; the reply ends before the one that is complete first.
        tags: What may open a reasoning block.
        thinking: Whether the prompt has already opened a block of the first tags.
        continued: Whether the reply, or its reasoning, goes on from text in the prompt: then its
            blanks count.

    Attributes:
        stopped: Whether a stop string was met; nothing is shown after it.
        thinking: Whether the text stands inside a reasoning block at the moment.
    """

    def __init__(
        self,
        stop: Sequence[str],
        tags: Sequence[ThinkTags] = (),
        *,
        thinking: bool = False,
        continued: bool = False,
    ) -> None:
        self.stopped = False
        self.thinking = thinking and bool(tags)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(text for text in stop if text)
        self._tags = tuple(tags)
        self._closing = tags[0].closing if self.thinking else ""
        self._at_start = bool(tags) and not self.thinking and not continued
        self._drop_blanks = self.thinking and not continued
        self._held = ""

    @property
    def _is_plain(self) -> bool:
        """Whether text can be shown as it comes."""
        looks_for_something = self._stop or self._at_start or self.thinking
        return not (looks_for_something or self._drop_blanks or self._held or self.stopped)

    def feed(self, piece: bytes) -> tuple[Run, ...]:
        """Take the bytes of one token; give what can be shown now, often nothing."""
        text = self._decoder.decode(piece)
        if self._is_plain:
            # Most replies, most of the time: nothing is looked for and nothing held back.
            return (Run(text, thinking=False),) if text else ()
        return self._advance(text, final=False)

    def finish(self) -> tuple[Run, ...]:
        """The reply is over: give what was held back, such as half a stop string.

        Half a character is no text: a reply that is continued writes it again, whole.
        """
        return self._advance("", final=True)

    def _advance(self, text: str, *, final: bool) -> tuple[Run, ...]:
        if self.stopped:
            return ()
        self._held += text
        runs: list[Run] = []
        while self._at_start:
            if not self._opens() and not final:
                return ()
            if final:
                break
        while (hit := self._first_hit()) is not None:
            index, needle = hit
            self._show(index, runs)
            self._held = self._held[len(needle) :]
            if not self.thinking:
                self.stopped, self._held = True, ""
                return tuple(runs)
            self.thinking, self._drop_blanks = False, True
        self._show(len(self._held) if final else self._decided(), runs)
        return tuple(runs)

    def _opens(self) -> bool:
        """Deal with an opening tag at the start; False while more text is needed to tell."""
        stripped = self._held.lstrip()
        for tag in self._tags:
            if stripped.startswith(tag.opening):
                self._held = stripped[len(tag.opening) :]
                self._drop_blanks = True
                if tag.closing:
                    self._at_start, self.thinking, self._closing = False, True, tag.closing
                return True
        undecided = len(self._held) - len(stripped) <= _MOST_LEADING_BLANKS and any(
            tag.opening.startswith(stripped) for tag in self._tags
        )
        self._at_start = undecided
        return not undecided

    def _needles(self) -> tuple[str, ...]:
        return (self._closing,) if self.thinking else self._stop

    def _first_hit(self) -> tuple[int, str] | None:
        """What is complete first, the longest of those: however the text came in pieces."""
        held = self._held
        ends = [
            (held.find(needle) + len(needle), -len(needle), needle)
            for needle in self._needles()
            if needle in held
        ]
        if not ends:
            return None
        end, _, needle = min(ends)
        return end - len(needle), needle

    def _decided(self) -> int:
        """How much of the held text cannot be the beginning of what is looked for."""
        held = self._held
        undecided = 0
        for needle in self._needles():
            for length in range(min(len(needle) - 1, len(held)), undecided, -1):
                if held.endswith(needle[:length]):
                    undecided = length
                    break
        return len(held) - undecided

    def _show(self, length: int, runs: list[Run]) -> None:
        text, self._held = self._held[:length], self._held[length:]
        if self._drop_blanks:
            text = text.lstrip()
            self._drop_blanks = not text
        if text:
            runs.append(Run(text, self.thinking))
