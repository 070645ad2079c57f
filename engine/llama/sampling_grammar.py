"""Grammar and JSON schema: which tokens may come next."""

from __future__ import annotations

import ctypes
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import UserError
from engine.llama.library import api, log_sink
from engine.llama.openings import BYTES, Bytes
from engine.llama.sampling_window import Candidates

if TYPE_CHECKING:
    from engine.llama.sampling_window import Ids
    from engine.llama.vocabulary import Vocabulary
    from engine.settings import GenerationSettings

_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*')
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]|\\x[89a-fA-F]|\\[uU]")


# llama.cpp refuses to count some 2,000 symbols, and counts no further than 2,000 of anything.
_BLOCK = 400

# llama.cpp's parser calls itself for each level, with 0.5 KiB of stack: 14,000 are read with the
# 8 MiB of a main thread and 20,000 end the process; with 1 MiB 2,000 are read and 3,000 end it.
_DEEPEST = 500
_PARENTHESES = re.compile(r"[()]")


class Grammar:
    """Owns a grammar sampler. Asked about few tokens at a time: a whole vocabulary takes long."""

    def __init__(self, rules: str, vocabulary: Vocabulary, model: int) -> None:
        """Parse the rules.

        Raises:
            UserError: ``engine.grammar`` when llama.cpp cannot read them, and
                ``engine.grammar_too_deep``.
        """
        if (depth := _nesting(rules)) > _DEEPEST:
            raise UserError("engine.grammar_too_deep", depth=depth, limit=_DEEPEST)
        native = api()
        self._native = native
        self._vocabulary = vocabulary
        self._bytes_tell = bytes_tell(rules)
        vocab = native.llama_model_get_vocab(model)
        log_sink.mark()
        self._handle = native.llama_sampler_init_grammar(vocab, rules.encode(), b"root")
        if not self._handle:
            raise UserError("engine.grammar", detail="\n".join(log_sink.complaints()))
        self._one = native.llama_token_data()
        self._array = native.llama_token_data_array(
            data=ctypes.pointer(self._one), size=1, selected=-1, sorted=False
        )

    @classmethod
    def of(cls, settings: GenerationSettings, vocabulary: Vocabulary, model: int) -> Grammar | None:
        """The grammar that settings ask for, or None."""
        if settings.grammar.strip() and settings.json_schema.strip():
            raise UserError("engine.grammar_and_schema")
        if settings.json_schema.strip():
            return cls(rules_for_schema(settings.json_schema), vocabulary, model)
        return cls(settings.grammar, vocabulary, model) if settings.grammar.strip() else None

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        return self._allowed_by(self._handle, token)

    def _allowed_by(self, handle: Any, token: int) -> bool:  # noqa: ANN401
        self._one.id, self._one.logit, self._one.p = token, 1.0, 0.0
        self._array.size, self._array.selected = 1, -1
        self._native.llama_sampler_apply(handle, ctypes.byref(self._array))
        return bool(self._one.logit != -math.inf)

    def restrict(self, candidates: Any) -> None:  # noqa: ANN401
        """Set the logits of candidates that may not come next to minus infinity."""
        self._native.llama_sampler_apply(self._handle, candidates)

    def possible(self) -> Ids | None:
        """All tokens that may come next, and others; None where only asking about each can tell.

        It takes as long as asking about a few hundred.
        """
        if not self._bytes_tell:
            return None
        openings = self._vocabulary.openings
        first = self._bytes_allowed(self._handle)
        behind_blank = np.full(BYTES, openings.blank < 0)
        if openings.blank >= 0 and first[ord(" ")]:
            further = self._native.llama_sampler_clone(self._handle)
            self._native.llama_sampler_accept(further, openings.blank)
            behind_blank = self._bytes_allowed(further)
            self._native.llama_sampler_free(further)
        end = self._vocabulary.eos
        # Where one of those may come, all may.
        return openings.of(first, behind_blank, may_end=end is None or self.allows(end))

    def _bytes_allowed(self, handle: Any) -> Bytes:  # noqa: ANN401
        """Which bytes a grammar lets come next; also those that no token is."""
        alone, allowed = self._vocabulary.openings.alone, np.ones(BYTES, dtype=np.bool_)
        known = np.flatnonzero(alone >= 0)
        found = Candidates()
        found.take(alone[known], np.zeros(len(known), dtype=np.float32), 0.0)
        self._native.llama_sampler_apply(handle, found.native)
        allowed[known] = found.logits != -math.inf
        return allowed

    def accept(self, token: int) -> None:
        """An allowed token was written."""
        self._native.llama_sampler_accept(self._handle, token)

    def follow(self, text: str) -> bool:
        """Take a text as written, if it is a beginning that the rules allow; else change nothing.

        It is taken byte by byte, so that the tokens it was written in do not matter.
        """
        alone = self._vocabulary.openings.alone
        handle = self._native.llama_sampler_clone(self._handle)
        for byte in text.encode("utf-8", "replace"):
            token = int(alone[byte])
            # llama.cpp ends the process over a token that it is told of and does not allow.
            if token < 0 or not self._allowed_by(handle, token):
                self._native.llama_sampler_free(handle)
                return False
            self._native.llama_sampler_accept(handle, token)
        self.close()
        self._handle = handle
        return True

    def close(self) -> None:
        """Free the sampler."""
        handle, self._handle = self._handle, 0
        if handle:
            self._native.llama_sampler_free(handle)


def bytes_tell(rules: str) -> bool:
    """Whether a byte that may not come next rules out all tokens that begin with it.

    Not so where the rules name tokens, whatever text these have. And of a character that is
    excluded llama.cpp excludes the first byte as well, which other characters begin with too.
    """
    texts = _TEXT.findall(rules)
    excluded = (text for text in texts if text.startswith("[^"))
    return "<" not in _TEXT.sub("", rules) and not any(map(_BEYOND_ASCII.search, excluded))


def _nesting(rules: str) -> int:
    """How deep parentheses stand in one another."""
    depth = deepest = 0
    for found in _PARENTHESES.finditer(_TEXT.sub("", rules)):
        depth += 1 if found[0] == "(" else -1
        deepest = max(deepest, depth)
    return deepest


def rules_for_schema(schema: str) -> str:
    """GBNF rules for a JSON schema.

    Raises:
        UserError: ``engine.json_schema`` when it is no schema or uses what GBNF cannot say.
    """
    from llama_cpp import llama_grammar

    # Its own writes each repetition out, one inside the other: a string of up to 65,535 characters
    # ends the process in llama.cpp's parser, and one of 2,000 is refused there.
    llama_grammar._build_repetition = _repetition
    try:
        if not isinstance(json.loads(schema), dict):
            raise UserError("engine.json_schema", reason="it is not a JSON object")
        return str(llama_grammar.json_schema_to_gbnf(schema))
    except UserError:
        raise
    except Exception as error:
        raise UserError("engine.json_schema", reason=str(error), detail=repr(error)) from error


def _repetition(
    item_rule: str,
    min_items: int,
    max_items: int | None,
    separator_rule: str | None = None,
    item_rule_is_literal: bool = False,
) -> str:
    """A rule for so many of an item, counted instead of written out."""
    least, most = max(0, min_items), None if max_items is None else max(0, max_items)
    if most is not None and most < least:
        raise ValueError(f"at least {min_items} and at most {max_items} cannot both be")
    if separator_rule is None:
        return _counted(item_rule, least, most)
    if most == 0:
        return ""
    others = _counted(
        f"{separator_rule} {item_rule}", max(0, least - 1), None if most is None else most - 1
    )
    return f"{item_rule} {others}" if least else f"({item_rule} {others})?"


def _counted(item: str, least: int, most: int | None) -> str:
    if least > _BLOCK * _BLOCK:
        raise ValueError(f"{least} are more than can be counted")
    exactly = _exactly(item, least)
    if most is None or most > _BLOCK * _BLOCK:
        # No reply gets there.
        return f"{exactly} ({item})*"
    return f"{exactly} {_up_to(item, most - least)}"


def _exactly(item: str, count: int) -> str:
    blocks, rest = divmod(count, _BLOCK)
    whole = f"(({item}){{{_BLOCK}}}){{{blocks}}} " if blocks else ""
    return f"{whole}({item}){{{rest}}}" if rest else whole


def _up_to(item: str, count: int) -> str:
    blocks, rest = divmod(count, _BLOCK)
    if not blocks:
        return f"({item}){{0,{rest}}}" if rest else ""
    block = f"(({item}){{{_BLOCK}}})"
    fewer = f"{block}{{0,{blocks - 1}}} ({item}){{0,{_BLOCK - 1}}}"
    return f"({fewer} | {block}{{{blocks}}} {_up_to(item, rest)})"
