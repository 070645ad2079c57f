"""What settings mean for the window of a draw: how wide it starts, and what it has to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import GenerationSettings


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How a compiled step draws.

    Attributes:
        rank: How many of the largest logits to take at least.
        least: How many must not have fallen below the least of them when logits were adjusted.
        adjusting: Address of the samplers that adjust, 0 for none.
        choosing: Address of those that choose, 0 to take the likeliest.
    """

    rank: int
    least: int
    adjusting: int
    choosing: int


# A window that proves too small is widened; one too large slows every draw.
GREEDY_RANK = 8


def is_greedy(settings: GenerationSettings) -> bool:
    """Whether the likeliest token is always taken."""
    return settings.temperature <= 0 and settings.xtc_probability == 0


def needs_all(settings: GenerationSettings) -> bool:
    """Whether no truncation bounds what can be drawn."""
    if is_greedy(settings):
        return False
    if settings.top_k > 0:
        return False
    if settings.typical_p < 1:
        return True
    if settings.top_p < 1:
        # The probabilities that top-p adds up depend on every logit that DRY changes.
        return settings.dry_multiplier > 0
    return settings.min_p <= 0


def cuts_nothing(settings: GenerationSettings) -> bool:
    """Whether every token can be drawn, and it is known which logits change."""
    return (
        settings.temperature > 0
        and settings.top_k == 0
        and settings.typical_p >= 1
        and settings.top_p >= 1
        and settings.min_p <= 0
        and settings.xtc_probability == 0
        and settings.dry_multiplier == 0
    )


def raises_logits(settings: GenerationSettings) -> bool:
    """Whether a penalty may make a token likelier."""
    return (
        settings.repeat_penalty < 1
        or settings.presence_penalty < 0
        or settings.frequency_penalty < 0
    )


def first_rank(settings: GenerationSettings, *, adjusted: bool) -> int:
    """How many tokens the first window holds at least.

    Args:
        settings: What the user asked for.
        adjusted: Whether single logits change before the draw.
    """
    if is_greedy(settings):
        return GREEDY_RANK
    if settings.top_k == 0:
        return 1
    # Penalties push few tokens out of the top k, as most of those stay above the window's floor.
    return settings.top_k + (settings.top_k // 4 + GREEDY_RANK if adjusted else 0)
