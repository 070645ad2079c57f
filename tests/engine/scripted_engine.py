"""An engine in this process that counts words, takes notes by rule, and dies or stops on cue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.worker.protocol import Delta, Finished, Measured, PrefillProgress, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.settings import GenerationSettings
    from engine.worker.protocol import Event, Prompt

_FRAME = 10


def words(text: str) -> int:
    """Tokens of a text: its words."""
    return len(text.split())


class ScriptedEngine:
    """Notes the sentences that hold a wanted word, each with the marker of its page.

    Attributes:
        asked: Every prompt it was given to answer, in order.
        dies_at: Numbers of requests, from 1, at which it dies.
        thinks_at: Number of the request whose reply is nothing but thoughts; 0 for none.
        stops_at: Number of the request that the user stops; 0 for none.
        is_dead: Whether it waits to be revived.
    """

    def __init__(self, n_ctx: int, wanted: str = "") -> None:
        self.n_ctx = n_ctx
        self.wanted = wanted
        self.asked: list[Prompt] = []
        self.dies_at: set[int] = set()
        self.stops_at = 0
        self.thinks_at = 0
        self.is_dead = False
        self.revived = 0

    def measure(self, prompt: Prompt, _generation: GenerationSettings) -> Measured:
        """Count a request."""
        texts = [prompt.instruction, prompt.passages, *(turn.text for turn in prompt.turns)]
        return Measured(
            request_id=1,
            segments=(),
            prompt_tokens=_FRAME + sum(map(words, texts)),
            cached_tokens=0,
            n_ctx=self.n_ctx,
        )

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts."""
        return tuple(map(words, texts))

    def generate(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        on_event: Callable[[Event], None],
    ) -> Finished:
        """Take notes of a part, or merge notes by keeping their first lines."""
        assert not self.is_dead, "it was asked while dead"
        tokens = self.measure(prompt, generation).prompt_tokens
        assert tokens + generation.max_tokens <= self.n_ctx, "the request does not fit"
        self.asked.append(prompt)
        on_event(PrefillProgress(request_id=1, done=tokens, total=tokens, cached=0))
        if len(self.asked) in self.dies_at:
            self.is_dead = True
            raise UserError("worker.killed", phase="while reading")
        is_stopped = len(self.asked) == self.stops_at
        text = " ".join(self._notes(prompt).split(" ")[: generation.max_tokens])
        only_thinks = len(self.asked) == self.thinks_at
        if not is_stopped:
            on_event(
                Delta(
                    request_id=1,
                    text=text,
                    thinking=only_thinks,
                    completion_tokens=words(text),
                    context_used=tokens,
                )
            )
        usage = Usage(
            prompt_tokens=tokens,
            cached_tokens=0,
            completion_tokens=words(text),
            prefill_s=tokens / 1000,
            decode_s=words(text) / 100,
        )
        return Finished(
            request_id=1,
            stop_reason="cancelled" if is_stopped else "max_tokens" if only_thinks else "end",
            usage=usage,
            context_used=tokens,
            n_ctx=self.n_ctx,
        )

    def revive(self) -> None:
        """Live again."""
        self.revived += self.is_dead
        self.is_dead = False

    def _notes(self, prompt: Prompt) -> str:
        text = prompt.turns[-1].text
        if "<notes>" in text:
            return "merged: " + "; ".join(re.findall(r"\[[^\]]+\]", text))
        noted, marker = [], ""
        for line in text.splitlines():
            if found := re.fullmatch(r"\[[^\]]+\]", line):
                marker = found[0]
            elif self.wanted and self.wanted in line:
                noted.append(f"{line.strip()} {marker}")
        return "\n".join(noted) or "Nothing here."
