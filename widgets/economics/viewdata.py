"""What the page about the cost of context shows, as plain frozen data."""

from __future__ import annotations

import itertools

import msgspec


class CurveView(msgspec.Struct, frozen=True):
    """Memory against context for one model with one KV type.

    Attributes:
        id: Comes back in ``remove_requested``.
        model_id: Curves of one model share a colour; only the first is drawn solid.
        model: Name and kind, e.g. ``"Qwen3-8B · GQA 32:8"``.
        kv_type: E.g. ``"f16"``; ``"q8_0/q4_0"`` for two.
        points: (tokens, bytes over all devices), by tokens.
        kv_bytes_per_token: None where no single figure is true.
        longest_tokens: The longest context on the devices looked at; None when unknown.
        reason: Why it costs that much, in one sentence.
    """

    id: str
    model_id: str
    model: str
    kv_type: str
    points: tuple[tuple[int, int], ...] = ()
    kv_bytes_per_token: float | None = None
    longest_tokens: int | None = None
    reason: str = ""


class LimitView(msgspec.Struct, frozen=True):
    """A line across the chart: what the devices hold."""

    label: str
    size_bytes: int


class CardsView(msgspec.Struct, frozen=True):
    """Devices that can be looked at: the real ones, or some that are not there."""

    id: str
    label: str
    is_what_if: bool = False


class EconomicsView(msgspec.Struct, frozen=True):
    """The whole page.

    Attributes:
        unit_words: Above the chart, e.g. ``"GiB over both GPUs"``.
        longest_words: Heading of the column with the longest context, e.g. ``"Longest on 24 GiB"``.
        source_words: Where the figures come from, a sentence.
        chosen_cards: Id in `cards`.
        n_ctx: The context in use, where the cursor starts.
        is_pending: More curves are being computed.
    """

    curves: tuple[CurveView, ...] = ()
    limits: tuple[LimitView, ...] = ()
    cards: tuple[CardsView, ...] = ()
    chosen_cards: str = ""
    unit_words: str = ""
    longest_words: str = ""
    source_words: str = ""
    n_ctx: int | None = None
    is_pending: bool = False


def bytes_at(curve: CurveView, tokens: int) -> float | None:
    """Memory at a context, between the points that were computed; None outside them."""
    points = curve.points
    for (low, below), (high, above) in itertools.pairwise(points):
        if low <= tokens <= high:
            share = (tokens - low) / (high - low) if high > low else 0.0
            return below + (above - below) * share
    return None


COLOURS = ("weights", "kv", "compute", "violet", "ok", "rose", "bad", "slate")


def looks(curves: tuple[CurveView, ...]) -> dict[str, tuple[str, bool]]:
    """(colour token, dashed) by curve id: a colour per model, later KV types dashed."""
    colours: dict[str, str] = {}
    found: dict[str, tuple[str, bool]] = {}
    for curve in curves:
        is_later = curve.model_id in colours
        colour = colours.setdefault(curve.model_id, COLOURS[len(colours) % len(COLOURS)])
        found[curve.id] = (colour, is_later)
    return found
