"""The model's vocabulary: text to tokens and tokens to bytes.

Nothing here knows about chats or templates. Reading a vocabulary is thread-safe in llama.cpp, so
one `Vocabulary` serves the thread that writes a reply and the one that counts tokens meanwhile.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.llama.library import api
from engine.llama.openings import Openings
from engine.planning.draft_pair import FIRST_WORD, PADDING_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable

Tokens: TypeAlias = npt.NDArray[np.int32]

_PIECE_BYTES = 64
# Tokens whose text goes into the identity: spread over the vocabulary, both ends included.
_IDENTITY_SAMPLES = 4096


@dataclass(frozen=True, slots=True)
class ControlToken:
    """A token that steers the model, and the text that stands for it in a template.

    Attributes:
        strips_left: Whether blanks before it are dropped.
        strips_right: Whether blanks after it are dropped.
    """

    token: int
    text: str
    strips_left: bool
    strips_right: bool


class Vocabulary:
    """The vocabulary of one loaded model; valid as long as the model is.

    A file may come without one (``no_vocab``, as benchmark models do): then no text has tokens, a
    token's text is its number, and no token has a meaning. llama.cpp aborts when asked for more.

    Attributes:
        n_vocab: How many tokens there are.
        is_blank: Whether the file has no vocabulary.
        bos: Token that begins a text; None when the model has none.
        eos: Token that ends a text; None when the model has none.
        adds_bos: Whether a text is meant to begin with `bos`.
    """

    def __init__(self, model: int) -> None:
        self._api = api()
        self._vocab = self._api.llama_model_get_vocab(model)
        self.n_vocab: int = self._api.llama_vocab_n_tokens(self._vocab)
        self.is_blank = self._api.llama_vocab_type(self._vocab) == self._api.LLAMA_VOCAB_TYPE_NONE
        self.bos = _token_or_none(self._api.llama_vocab_bos(self._vocab))
        self.eos = _token_or_none(self._api.llama_vocab_eos(self._vocab))
        self.adds_bos = (
            bool(self._api.llama_vocab_get_add_bos(self._vocab)) and self.bos is not None
        )
        self._pieces: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> Tokens:
        """Tokens of a text.

        Args:
            text: Any text, of any length.
            special: Whether control tokens written out in the text (``<|im_end|>``) become those
                tokens. Never for text that a user or a document supplies.
            add_bos: Whether to begin with `bos` where the model wants one.
        """
        if self.is_blank:
            return np.empty(0, dtype=np.int32)
        data = text.encode("utf-8", "replace")
        tokens = np.empty(len(data) + 2, dtype=np.int32)
        count = self._tokenize_into(tokens, data, special, add_bos)
        if count < 0:
            tokens = np.empty(-count, dtype=np.int32)
            count = self._tokenize_into(tokens, data, special, add_bos)
        return tokens[:count].copy()

    def _tokenize_into(self, tokens: Tokens, data: bytes, special: bool, add_bos: bool) -> int:
        into = tokens.ctypes.data_as(ctypes.POINTER(self._api.llama_token))
        return int(
            self._api.llama_tokenize(
                self._vocab, data, len(data), into, len(tokens), add_bos, special
            )
        )

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; may be part of a UTF-8 character, and empty."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._read_piece(token, special=False)
        return piece

    def _read_piece(self, token: int, *, special: bool) -> bytes:
        if self.is_blank:
            return b" %d" % token
        size = _PIECE_BYTES
        while True:
            buffer = ctypes.create_string_buffer(size)
            got = self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if got >= 0:
                return buffer.raw[:got]
            size = -got

    def control_piece(self, token: int) -> bytes:
        """As `piece`, but control tokens give their name (``<|im_end|>``) instead of nothing."""
        return self._read_piece(token, special=True)

    def control_tokens(self) -> tuple[ControlToken, ...]:
        """All tokens that steer the model; takes some 0.1 s for a large vocabulary."""
        if self.is_blank:
            return ()
        api = self._api
        steering = api.LLAMA_TOKEN_ATTR_CONTROL | api.LLAMA_TOKEN_ATTR_UNKNOWN
        found = []
        for token in range(self.n_vocab):
            attributes = api.llama_vocab_get_attr(self._vocab, token)
            if attributes & steering:
                text = api.llama_vocab_get_text(self._vocab, token) or b""
                left = bool(attributes & api.LLAMA_TOKEN_ATTR_LSTRIP)
                right = bool(attributes & api.LLAMA_TOKEN_ATTR_RSTRIP)
                found.append(ControlToken(token, text.decode("utf-8", "replace"), left, right))
        return tuple(found)

    def spell_out(self, texts: Iterable[str]) -> None:
        """From now on give these control tokens their text in `piece`, too."""
        for text in texts:
            token = self.single_token(text)
            if token is not None:
                self._pieces[token] = self.control_piece(token)

    def is_eog(self, token: int) -> bool:
        """Whether the model says with this token that its turn is over."""
        ends = self._ends.get(token)
        if ends is None:
            ends = self._ends[token] = bool(self._api.llama_vocab_is_eog(self._vocab, token))
        return ends

    def single_token(self, text: str) -> int | None:
        """The one token that a control text such as ``<think>`` is, or None."""
        tokens = self.tokenize(text, special=True)
        return int(tokens[0]) if len(tokens) == 1 else None

    def shares_tokens_with(self, other: Vocabulary) -> bool:
        """Whether the same number is the same token in both; the ends may differ a little."""
        native, least = self._api, min(self.n_vocab, other.n_vocab)
        kinds = {native.llama_vocab_type(one._vocab) for one in (self, other)}
        if len(kinds) > 1 or max(self.n_vocab, other.n_vocab) - least > PADDING_TOKENS:
            return False
        if self.is_blank:
            return True
        return all(
            native.llama_vocab_get_text(self._vocab, token)
            == native.llama_vocab_get_text(other._vocab, token)
            for token in range(FIRST_WORD, least)
        )

    @cached_property
    def openings(self) -> Openings:
        """How the tokens begin; takes some 0.2 s for a large vocabulary. Not for blank ones."""
        return Openings(self._vocab, self.n_vocab, self.control_piece)

    @cached_property
    def identity(self) -> str:
        """A hash that two models share only if they count tokens alike; a key for stored counts."""
        digest = hashlib.sha256()
        kind = self._api.llama_vocab_type(self._vocab)
        digest.update(f"{self.n_vocab} {kind} {self.bos} {self.eos} {self.adds_bos}".encode())
        count = 0 if self.is_blank else min(self.n_vocab, _IDENTITY_SAMPLES)
        samples = np.linspace(0, self.n_vocab - 1, count, dtype=int)
        for token in samples:
            digest.update(self._api.llama_vocab_get_text(self._vocab, int(token)) or b"")
            digest.update(b"\0")
        # Merges and pre-tokenizers do not show in the tokens themselves: let them act.
        digest.update(self.tokenize(_IDENTITY_TEXT, special=False).tobytes())
        return digest.hexdigest()[:32]


_IDENTITY_TEXT = (
    "The quick brown fox can't jump over 12345678 lazy dogs.\n\n\tdef f(x):\n        return x**2\n"
    "Größe, naïve café — “quotes” … ¿qué? 北京大学 東京タワー 한국어 Привет, мир! مرحبا שלום नमस्ते "
    "🙂👩‍👩‍👧 <tag attr='1'/> https://example.org/a?b=c&d=1.5e-10 \r\n   trailing   spaces   "
)


def _token_or_none(token: int) -> int | None:
    return int(token) if token >= 0 else None
