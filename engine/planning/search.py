"""Searches over dry runs: the largest context, or number of layers, that still fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.planning.plan import DevicePlan, Plan
    from engine.settings import EngineSettings

    Measure: TypeAlias = Callable[[EngineSettings], Plan]
    """Answers one setting with its bars; a refusal is a plan whose verdict is no."""

STEP = 256
"""llama.cpp rounds a context up to this many tokens."""

_ENDLESS_BYTES = 1 << 62
_MAX_STEPS = 24


def room_bytes(plan: Plan) -> int:
    """What is left on the tightest place after the reserve; negative when it does not fit."""
    return min((_room(place) for place in (*plan.devices, plan.host)), default=0)


def tightest(plan: Plan) -> DevicePlan:
    """The place with the least room."""
    return min((*plan.devices, plan.host), key=_room)


def _room(place: DevicePlan) -> int:
    # One whose memory is unknown cannot refuse; one that gets nothing needs no reserve.
    if place.left_bytes is None or not place.needed_bytes:
        return _ENDLESS_BYTES
    return place.left_bytes - (place.reserve_bytes if place.account_bytes else 0)


def largest_context(room: Callable[[int], int | None], cap: int) -> int:
    """The largest context, a multiple of 256, whose room is not negative; 0 when there is none.

    Memory is all but straight in the context, so the next guess lies on the line between the two
    ends; a halving now and then makes sure that it ends.

    Args:
        room: Bytes left at a context; None when it is refused.
        cap: Longest context to consider.
    """
    low, high = STEP, max(STEP, cap // STEP * STEP)
    room_low = room(low)
    if room_low is None or room_low < 0:
        return 0
    room_high = room(high)
    if room_high is not None and room_high >= 0:
        return high
    for step in range(_MAX_STEPS):
        if high - low <= STEP:
            break
        middle = (low + high) // 2
        if room_high is not None and step % 3 != 2:
            middle = low + int((high - low) * room_low / max(1, room_low - room_high))
        middle = min(max(middle // STEP * STEP, low + STEP), high - STEP)
        found = room(middle)
        if found is not None and found >= 0:
            low, room_low = middle, found
        else:
            high, room_high = middle, found
    return low


def first_that_fits(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number in a range that fits, where a larger one fits as well; None if none."""
    if not fits(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return low
