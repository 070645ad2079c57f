"""Grammar and JSON schema: which tokens may come next."""

from __future__ import annotations

import ctypes
import json
import math
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.llama.library import api, log_sink

if TYPE_CHECKING:
    from engine.settings import GenerationSettings


class Grammar:
    """Owns a grammar sampler. Asked about one token at a time: a whole vocabulary takes long."""

    def __init__(self, rules: str, vocab: int) -> None:
        """Parse the rules.

        Raises:
            UserError: ``engine.grammar`` when llama.cpp cannot read them.
        """
        native = api()
        self._native = native
        log_sink.mark()
        self._handle = native.llama_sampler_init_grammar(vocab, rules.encode(), b"root")
        if not self._handle:
            raise UserError("engine.grammar", detail="\n".join(log_sink.complaints()))
        self._one = native.llama_token_data()
        self._array = native.llama_token_data_array(
            data=ctypes.pointer(self._one), size=1, selected=-1, sorted=False
        )

    @classmethod
    def of(cls, settings: GenerationSettings, vocab: int) -> Grammar | None:
        """The grammar that settings ask for, or None."""
        if settings.grammar.strip() and settings.json_schema.strip():
            raise UserError("engine.grammar_and_schema")
        if settings.json_schema.strip():
            return cls(rules_for_schema(settings.json_schema), vocab)
        return cls(settings.grammar, vocab) if settings.grammar.strip() else None

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        self._one.id, self._one.logit, self._one.p = token, 1.0, 0.0
        self._array.size, self._array.selected = 1, -1
        self._native.llama_sampler_apply(self._handle, ctypes.byref(self._array))
        return bool(self._one.logit != -math.inf)

    def restrict(self, candidates: Any) -> None:  # noqa: ANN401
        """Set the logits of candidates that may not come next to minus infinity."""
        self._native.llama_sampler_apply(self._handle, candidates)

    def accept(self, token: int) -> None:
        """An allowed token was written."""
        self._native.llama_sampler_accept(self._handle, token)

    def close(self) -> None:
        """Free the sampler."""
        handle, self._handle = self._handle, 0
        if handle:
            self._native.llama_sampler_free(handle)


def rules_for_schema(schema: str) -> str:
    """GBNF rules for a JSON schema.

    Raises:
        UserError: ``engine.json_schema`` when it is no schema or uses what GBNF cannot say.
    """
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        if not isinstance(json.loads(schema), dict | bool):
            raise UserError("engine.json_schema", reason="it is not a JSON object")
        return str(json_schema_to_gbnf(schema))
    except UserError:
        raise
    except Exception as error:
        raise UserError("engine.json_schema", reason=str(error), detail=repr(error)) from error
