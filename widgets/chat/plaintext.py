"""Text from outside made safe to show, and positions in it as Qt counts them (UTF-16 units)."""

from __future__ import annotations

from typing import Final

# C0 becomes its control picture, so that an escape sequence is seen and not obeyed; C1 and the
# marks that reorder what follows become U+FFFD. LRM and RLM stay: they reorder nothing beyond
# themselves and Arabic and Hebrew need them.
_NEUTRAL: Final[dict[int, int | str | None]] = {
    **{code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)},
    0x0D: None,
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    **dict.fromkeys(range(0x202A, 0x202F), 0xFFFD),
    **dict.fromkeys(range(0x2066, 0x206A), 0xFFFD),
    0x2028: "\n",
    0x2029: "\n",
}


def neutralised(text: str) -> str:
    """`text` without control characters and without marks that override its direction."""
    return text.translate(_NEUTRAL)


def units(text: str) -> int:
    """Length of `text` in UTF-16 units, which is how Qt counts positions."""
    if text.isascii():
        return len(text)
    return len(text) + sum(1 for char in text if char > "\uffff")


def unit_slice(text: str, start: int, end: int) -> str:
    """The part of `text` between two positions in UTF-16 units."""
    if text.isascii() or max(text, default="") <= "\uffff":
        return text[start:end]
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le", "replace")


def unit_offset(text: str, index: int) -> int:
    """The position in UTF-16 units of the character at `index`."""
    return units(text[:index])
