"""Numbers as people read them: GiB, tokens, seconds, rates. Unknown is a dash."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "–"  # noqa: RUF001 - an en dash is what is meant
_GIB: Final = 1024**3
_MIB: Final = 1024**2


def gib(value_bytes: float | None, unit: bool = True) -> str:
    """Memory in GiB with one decimal, in MiB below 0.1 GiB."""
    if value_bytes is None:
        return UNKNOWN
    if abs(value_bytes) < 0.0995 * _GIB and unit:
        return f"{value_bytes / _MIB:.0f} MiB"
    return f"{value_bytes / _GIB:.1f}" + (" GiB" if unit else "")


def exact_bytes(value_bytes: int | None) -> str:
    """Memory in MiB, to the tenth, for tooltips."""
    return UNKNOWN if value_bytes is None else f"{value_bytes / _MIB:,.1f} MiB"


def file_size(value_bytes: int | None) -> str:
    """Size of a file the way shops and file managers write it: MB and GB."""
    if value_bytes is None:
        return UNKNOWN
    if value_bytes < 1e9:
        return f"{value_bytes / 1e6:.0f} MB"
    return f"{value_bytes / 1e9:.1f} GB"


def whole(value: float | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def thousands(tokens: int | None) -> str:
    """Tokens, short: 940, 1.2k, 18k, 1.3M."""
    if tokens is None:
        return UNKNOWN
    if tokens < 1000:
        return str(tokens)
    if tokens < 9950:
        return f"{tokens / 1000:.1f}k"
    if tokens < 999_500:
        return f"{tokens / 1000:.0f}k"
    return f"{tokens / 1e6:.1f}M"


def context_length(tokens: int | None) -> str:
    """A context length in its usual binary thousands: 8k, 128k, 1M."""
    if tokens is None:
        return UNKNOWN
    if tokens >= 1_048_576 and tokens % 1_048_576 == 0:
        return f"{tokens // 1_048_576}M"
    if tokens >= 1024:
        return f"{tokens / 1024:.0f}k"
    return str(tokens)


def rate(tokens_per_second: float | None) -> str:
    """A speed: three figures are enough to trust it."""
    if tokens_per_second is None or tokens_per_second != tokens_per_second:
        return UNKNOWN
    if tokens_per_second < 99.95:
        return f"{tokens_per_second:.1f} tok/s"
    return f"{tokens_per_second:,.0f} tok/s"


def seconds(value_s: float | None) -> str:
    """A duration: 0.3 s, 12 s, 4 min 10 s."""
    if value_s is None:
        return UNKNOWN
    if value_s < 9.95:
        return f"{value_s:.1f} s"
    if value_s < 99.5:
        return f"{value_s:.0f} s"
    minutes, rest = divmod(round(value_s), 60)
    return f"{minutes} min {rest} s"
