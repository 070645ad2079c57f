"""What every extracted text goes through before it is a page.

Line ends become line feeds, characters that show nothing but can mislead a reader or a model are
taken out and counted, runs of dots that lead to a page number shrink. Words are never changed.
"""

from __future__ import annotations

import re

# Left in: tab, line feed, and the marks that Arabic and Hebrew need (U+200E, U+200F), joiners.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
# Direction overrides show text in another order than the model reads it.
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
# Tag characters are invisible letters; only a flag's own sequence has a use for them.
_TAGS = re.compile(r"(\U0001f3f4[\U000e0061-\U000e007a]{2,6}\U000e007f)|[\U000e0000-\U000e007f]+")
_LEADERS = re.compile(r"(?: ?\.){6,}(?= |$)|(?: \.){4,}", re.MULTILINE)
_TRAILING = re.compile(r"[ \t\u00a0]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{4,}")


def clean(text: str) -> tuple[str, int]:
    """Return the cleaned text, and how many hidden characters were taken out of it.

    Control characters that are mere debris of a format are not counted; direction overrides and
    tag characters are, because someone may have put them there on purpose.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    hidden = 0
    if not text.isascii():
        text, hidden = _without_hidden(text)
    text = _CONTROL.sub("", text.replace("\x0b", "\n").replace("\x85", "\n"))
    text = _TRAILING.sub("", text)
    return _BLANK_LINES.sub("\n\n\n", text).strip("\n"), hidden


def without_leaders(text: str) -> str:
    """Shrink the dot leaders of a table of contents, which cost a token each and say nothing."""
    if ". . . ." not in text and "......" not in text:
        return text
    return _LEADERS.sub(" ...", text)


def _without_hidden(text: str) -> tuple[str, int]:
    """Take out direction overrides and stray tag characters, and count them."""
    before = len(text)
    text = _DIRECTION.sub("", text)
    text = _TAGS.sub(lambda found: found.group(1) or "", text)
    return text, before - len(text)
