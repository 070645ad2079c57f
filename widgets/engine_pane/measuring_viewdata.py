"""What the sheet that measures the best values is given to show."""

from __future__ import annotations

from typing import Literal

import msgspec

MeasuringState = Literal["ready", "running", "done", "failed"]


class MeasuredValueView(msgspec.Struct, frozen=True):
    """One value that is tried.

    Attributes:
        value: As people read it.
        tokens_per_second: None while there is no figure, and where the engine refused the value.
        spread: Half the distance between the quartiles, in tokens per second.
        compute_bytes: Size of the compute buffers with it; None where that is the same for all.
        is_best: It is proposed.
        is_now: It is what the settings say now.
        is_timed: It is being timed at this moment.
        problem: Why the engine refused it; empty when it did not.
    """

    value: str
    tokens_per_second: float | None = None
    spread: float = 0.0
    compute_bytes: int | None = None
    is_best: bool = False
    is_now: bool = False
    is_timed: bool = False
    problem: str = ""


class MeasuredSettingView(msgspec.Struct, frozen=True):
    """A setting with all of its values that are tried."""

    title: str
    values: tuple[MeasuredValueView, ...]


class ProposalView(msgspec.Struct, frozen=True):
    """A setting that should change: from which value to which."""

    title: str
    before: str
    after: str


class MeasuringView(msgspec.Struct, frozen=True):
    """Everything that the sheet shows.

    Attributes:
        words: One sentence: what will happen, is going on, or came of it.
        detail: More about it, a tone quieter.
        fraction: How much is done, 0 to 1.
        seconds_left: About how long it takes still; None while that cannot be told.
        proposals: What to change; none when the settings are the best already.
    """

    state: MeasuringState = "ready"
    words: str = ""
    detail: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    settings: tuple[MeasuredSettingView, ...] = ()
    proposals: tuple[ProposalView, ...] = ()
