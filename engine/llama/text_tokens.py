"""Text to tokens in pieces: long texts are tokenized once, and none can forge a control token.

A rendered prompt is cut where its template writes control tokens. What lies between two of them is
tokenized by itself, exactly as llama.cpp does it, and remembered. Text from outside goes through
`ControlTexts.defused` before it reaches the template: each control token spelled out in it gets a
mark after its first character, where the prompt is cut as well, so that the token never forms.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.llama.vocabulary import ControlToken, Tokens, Vocabulary

# A noncharacter: never part of a text that is meant to be read.
_CUT = "\ufdd0"
_MOST_CACHED_TOKENS = 8_000_000
_WINDOW = 48


class ControlTexts:
    """The texts of a vocabulary's control tokens, to be found in other texts."""

    def __init__(self, tokens: Iterable[ControlToken]) -> None:
        # One character cannot be cut in two, and would be found everywhere.
        self._tokens = {token.text: token for token in tokens if len(token.text) > 1}
        self._lengths: dict[str, list[int]] = {}
        for text in self._tokens:
            lengths = self._lengths.setdefault(text[0], [])
            if len(text) not in lengths:
                lengths.append(len(text))
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)
        first = "".join(map(re.escape, self._lengths))
        self._first = re.compile(f"[{first}]") if first else None

    def defused(self, text: str) -> str:
        """The text with all control tokens in it marked, so that they stay text."""
        text = text.replace(_CUT, "\ufffd")
        starts = [place for place, _ in self._found(text)]
        if not starts:
            return text
        bounds = [0, *(start + 1 for start in starts), len(text)]
        return _CUT.join(text[a:b] for a, b in pairwise(bounds))

    def split(self, text: str) -> Iterator[tuple[int, str, ControlToken | None]]:
        """A rendered prompt as control tokens and the text between, with places, in order."""
        place = 0
        for start, token in self._found(text):
            if start < place:
                continue
            if start > place:
                yield place, text[place:start], None
            yield start, token.text, token
            place = start + len(token.text)
        if place < len(text):
            yield place, text[place:], None

    def _found(self, text: str) -> Iterator[tuple[int, ControlToken]]:
        for match in self._first.finditer(text) if self._first else ():
            start = match.start()
            for length in self._lengths[text[start]]:
                token = self._tokens.get(text[start : start + length])
                if token is not None:
                    yield start, token
                    break


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedText:
    """Tokens of a whole prompt, and where in its text each piece of them begins.

    Attributes:
        tokens: All tokens.
        places: Place in the text of each piece, rising.
        firsts: Index of each piece's first token.
    """

    tokens: Tokens
    text: str
    places: tuple[int, ...]
    firsts: tuple[int, ...]


class TextTokens:
    """Tokenizes with a memory. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.controls = ControlTexts(vocabulary.control_tokens())
        self._lock = threading.Lock()
        self._remembered: OrderedDict[bytes, Tokens] = OrderedDict()
        self._remembered_tokens = 0

    def count(self, text: str) -> int:
        """Tokens of a text from outside, by itself."""
        parts = self.controls.defused(text).split(_CUT)
        return sum(len(self._plain(part)) for part in parts if part)

    def tokenize(self, rendered: str, cuts: Iterable[int] = ()) -> TokenizedText:
        """Tokens of a rendered prompt.

        Args:
            rendered: The template's text, its contents defused.
            cuts: Places where a piece may begin, if that changes no token.
        """
        clean = [cut for cut in sorted(set(cuts)) if self._splits_cleanly(rendered, cut)]
        pieces: list[tuple[int, Tokens]] = []
        strips_next = False
        for place, text, control in self.controls.split(rendered):
            if control is not None:
                if control.strips_left and pieces:
                    self._strip_last(rendered, pieces)
                pieces.append((place, np.array([control.token], dtype=np.int32)))
                strips_next = control.strips_right
                continue
            if strips_next:
                place, text = place + len(text) - len(text.lstrip()), text.lstrip()
            strips_next = False
            pieces += self._fragments(place, text, clean)
        return self._joined(rendered, pieces)

    def _fragments(self, place: int, text: str, cuts: list[int]) -> Iterator[tuple[int, Tokens]]:
        end = place + len(text)
        bounds = [place, *(cut for cut in cuts if place < cut < end), end]
        for start, stop in pairwise(bounds):
            offset = start
            for part in text[start - place : stop - place].split(_CUT):
                if part:
                    yield offset, self._plain(part)
                offset += len(part) + 1

    def _strip_last(self, rendered: str, pieces: list[tuple[int, Tokens]]) -> None:
        place, tokens = pieces[-1]
        text = rendered[place : place + self._length_of(tokens)]
        if text != text.rstrip():
            pieces[-1] = (place, self._plain(text.rstrip()))

    def _length_of(self, tokens: Tokens) -> int:
        return len(
            b"".join(map(self._vocabulary.piece, tokens.tolist())).decode("utf-8", "replace")
        )

    def _joined(self, rendered: str, pieces: list[tuple[int, Tokens]]) -> TokenizedText:
        bos = self._vocabulary.bos
        if self._vocabulary.adds_bos and bos is not None and _first_of(pieces) != bos:
            pieces = [(0, np.array([bos], dtype=np.int32)), *pieces]
        arrays = [tokens for _, tokens in pieces]
        firsts = np.cumsum([0, *map(len, arrays)]).tolist()
        joined = np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32)
        places = tuple(place for place, _ in pieces)
        return TokenizedText(joined, rendered, places, tuple(firsts[:-1]))

    def index_at(self, tokenized: TokenizedText, place: int) -> tuple[int, bool]:
        """The first token that begins at or after a place, and whether one begins right there."""
        piece = int(np.searchsorted(tokenized.places, place, side="right")) - 1
        if piece < 0:
            return 0, True
        start, index = tokenized.places[piece], tokenized.firsts[piece]
        if start == place:
            # Of several pieces at one place (a BOS before the text), the last begins the text.
            return index, True
        is_last = piece + 1 == len(tokenized.firsts)
        end = len(tokenized.tokens) if is_last else tokenized.firsts[piece + 1]
        stop = len(tokenized.text) if is_last else tokenized.places[piece + 1]
        if stop - place < place - start:
            return self._walk_back(tokenized.tokens[index:end], tokenized.text[place:stop], end)
        begins = np.cumsum([0, *self._sizes(tokenized.tokens[index:end])])
        steps = int(np.searchsorted(begins, _size(tokenized.text[start:place])))
        return min(index + steps, end), False

    def _walk_back(self, tokens: Tokens, rest: str, end: int) -> tuple[int, bool]:
        # The last tokens that together hold no more than the rest of the text.
        left = _size(rest)
        for token in tokens[::-1].tolist():
            left -= len(self._vocabulary.piece(token))
            if left < 0:
                break
            end -= 1
        return end, False

    def _sizes(self, tokens: Tokens) -> list[int]:
        return [len(self._vocabulary.piece(token)) for token in tokens.tolist()]

    def _splits_cleanly(self, text: str, cut: int) -> bool:
        """Whether tokens around a place are the same when the text is cut there."""
        before, after = text[max(0, cut - _WINDOW) : cut], text[cut : cut + _WINDOW]
        if not before or not after or _CUT in before or _CUT in after:
            return False
        whole = self._vocabulary.tokenize(before + after, special=True)
        parts = [self._vocabulary.tokenize(part, special=True) for part in (before, after)]
        return np.array_equal(whole, np.concatenate(parts))

    def _plain(self, text: str) -> Tokens:
        key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        with self._lock:
            tokens = self._remembered.get(key)
            if tokens is not None:
                self._remembered.move_to_end(key)
                return tokens
        tokens = self._vocabulary.tokenize(text, special=False)
        with self._lock:
            if key not in self._remembered:
                self._remembered[key] = tokens
                self._remembered_tokens += len(tokens)
            while self._remembered_tokens > _MOST_CACHED_TOKENS and len(self._remembered) > 1:
                self._remembered_tokens -= len(self._remembered.popitem(last=False)[1])
        return tokens


def _size(text: str) -> int:
    return len(text.replace(_CUT, "").encode("utf-8", "replace"))


def _first_of(pieces: list[tuple[int, Tokens]]) -> int | None:
    return int(pieces[0][1][0]) if pieces and len(pieces[0][1]) else None
