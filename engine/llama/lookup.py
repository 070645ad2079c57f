"""Prompt lookup: guesses the next tokens from text already read, to be checked in one decode.

A guess costs nothing to make and little to check, and a reply that quotes its document is guessed
right for long stretches. Checking is sampling each position as usual and comparing, so the reply
is distributed as without it. When guesses do not pay by the clock, they pause, longer each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Longest first: a long match continues right more often. Below two tokens all is chance.
_LENGTHS = (6, 3, 2)
_BITS = 21
_FIRST_DRAFT = 4
_FIRST_PAUSE = 16
_LONGEST_PAUSE = 512
# How much faster than plain decoding a drafted step has to be, on average.
_WORTH = 1.05
_MEMORY = 0.8


class NgramIndex:
    """Where each short run of tokens last stood, and so what followed it."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._after: tuple[dict[int, int], ...] = tuple({} for _ in _LENGTHS)
        self._keys = [0] * len(_LENGTHS)
        self._masks = [(1 << (_BITS * length)) - 1 for length in _LENGTHS]
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """The text goes on with a token."""
        position = len(self._tokens)
        keys = self._keys
        for level, mask in enumerate(self._masks):
            self._after[level][keys[level]] = position
            keys[level] = (keys[level] << _BITS | token) & mask
        self._tokens.append(token)

    def continuation(self, most: int) -> list[int]:
        """What followed when the text last stood as it does now; empty when it never did."""
        for level, length in enumerate(_LENGTHS):
            if len(self._tokens) < length:
                continue
            position = self._after[level].get(self._keys[level])
            if position is not None:
                return self._tokens[position : position + most]
        return []


class PromptLookup:
    """Decides when to guess and how much, by what it cost and what came of it.

    Owned by one reply.

    Attributes:
        drafted: Tokens guessed.
        accepted: Those that were right.
    """

    def __init__(self, tokens: Sequence[int], most: int) -> None:
        """Args: the prompt's tokens, and how many tokens a decode can check at most."""
        self._index = NgramIndex(tokens)
        self._most = most
        self._length = min(_FIRST_DRAFT, most)
        self._plain_s: float | None = None
        self._drafted_s: float | None = None
        self._pause = _FIRST_PAUSE
        self._resting = 0
        self.drafted = 0
        self.accepted = 0

    def note(self, token: int) -> None:
        """A token was written."""
        self._index.add(token)
        if self._resting:
            self._resting -= 1

    def propose(self, room: int) -> list[int]:
        """Tokens to check with the next decode, at most `room`; often none."""
        # A plain step now and then tells what guessing has to beat.
        if self._resting or self._plain_s is None:
            return []
        return self._index.continuation(min(self._length, room))

    def note_step(self, drafted: int, accepted: int, seconds: float) -> None:
        """A decode with so many guesses gave so many right ones, plus the token after them."""
        if drafted == 0:
            self._plain_s = _blended(self._plain_s, seconds)
            return
        self.drafted += drafted
        self.accepted += accepted
        self._drafted_s = _blended(self._drafted_s, seconds / (accepted + 1))
        if accepted == drafted:
            self._length = min(self._most, self._length * 2)
        else:
            self._length = max(2, min(self._length, accepted + 2))
        if self._plain_s is not None and self._drafted_s * _WORTH > self._plain_s:
            self._resting, self._drafted_s = self._pause, None
            self._length = min(_FIRST_DRAFT, self._most)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        else:
            self._pause = _FIRST_PAUSE


def _blended(old: float | None, new: float) -> float:
    return new if old is None else _MEMORY * old + (1 - _MEMORY) * new
