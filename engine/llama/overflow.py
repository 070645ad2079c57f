"""What of a conversation goes into a request, when not all of it fits into the context.

The rules, exactly:

- The system prompt, the documents, a summary and the last question are never left out.
- Only the policies ``drop`` and ``rolling`` leave anything out, and only when the prompt and the
  reply's reserve together are longer than the context.
- What goes are whole exchanges, a question with its answer, the oldest first: as many as it takes,
  rounded up to a quarter of what the context has for the conversation. Without the rounding, every
  follow-up would begin elsewhere and all of it would have to be read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.worker.protocol import LeftOut

if TYPE_CHECKING:
    from engine.llama.prompt import LaidOut, PromptLayout
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt

_RESERVE_SHARE = 4
_STEPS = 4


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request as it goes out, which may still be too long, and what it does not hold."""

    laid_out: LaidOut
    left_out: LeftOut | None = None


def reply_reserve(n_ctx: int, max_tokens: int) -> int:
    """Tokens kept free for a reply: the longest one, but not more than a quarter of the context."""
    return min(max_tokens or n_ctx, n_ctx // _RESERVE_SHARE)


def room_step(n_ctx: int, front: int) -> int:
    """How much room is made at once, at least, behind the `front` tokens that always stay."""
    return max(1, (n_ctx - front) // _STEPS)


def fit(layout: PromptLayout, prompt: Prompt, generation: GenerationSettings, n_ctx: int) -> Fitted:
    """Lay a prompt out, without its oldest exchanges where the policy asks for that.

    Raises:
        UserError: As `PromptLayout.lay_out`.
    """
    whole = layout.lay_out(prompt, generation)
    total = len(whole.tokens)
    makes_room = generation.overflow in ("drop", "rolling")
    if not makes_room or total + reply_reserve(n_ctx, generation.max_tokens) <= n_ctx:
        return Fitted(whole)
    system = tuple(turn for turn in prompt.turns if turn.role == "system")
    asked = tuple(turn for turn in prompt.turns if turn.role != "system")

    def without(first: int) -> Fitted:
        rest = replace(prompt, turns=(*system, *asked[first:]))
        laid_out = layout.lay_out(rest, generation)
        return Fitted(laid_out, LeftOut(turns=first, tokens=total - len(laid_out.tokens)))

    begins = [index for index in whole.questions if index > 0]
    if not begins:
        return Fitted(whole)
    least = without(begins[-1])
    left = max(0, n_ctx - len(least.laid_out.tokens))
    reserve = min(reply_reserve(n_ctx, generation.max_tokens), left // 2)
    room = n_ctx - reserve
    if total <= room:
        return Fitted(whole)
    front = whole.turns[0] if whole.turns else 0
    step = room_step(n_ctx, front)
    wanted = -(-(total - room) // step) * step
    for first in begins[:-1]:
        if first < len(whole.turns) and whole.turns[first] - front >= wanted:
            fitted = without(first)
            # A template may print what is left in another way, so this is counted, not reckoned.
            if len(fitted.laid_out.tokens) <= room:
                return fitted
    return least
