"""What is known about values of settings beyond their declaration: ends, limits, problems."""

from __future__ import annotations

import msgspec


class ValueHint(msgspec.Struct, frozen=True):
    """Knowledge about one setting, from the model and the plan.

    Attributes:
        limit: The largest value that fits; a tick on a slider.
        top: Where a slider ends; the most that a number counts up to.
        parts: How many parts a list of shares has; below 2 there is nothing to share.
        shares: The shares that will really result.
        steps: Into how many steps the shares divide.
        refused: Choices that cannot be used now, with the reason: ((value, reason), …).
    """

    limit: int | None = None
    top: int | None = None
    parts: int = 0
    shares: tuple[int, ...] = ()
    steps: int = 16
    refused: tuple[tuple[str, str], ...] = ()
