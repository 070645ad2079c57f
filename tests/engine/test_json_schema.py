"""JSON schemas whose bounds are large: held to exactly, and no end of the engine."""

from __future__ import annotations

import ctypes
import json
import math
from typing import TYPE_CHECKING

import pytest

from engine.errors import UserError
from engine.llama.library import api
from engine.llama.sampling_grammar import rules_for_schema
from engine.llama.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def vocabulary(demo_model: Path) -> Iterator[Vocabulary]:
    llama = api()
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = True
    model = llama.llama_model_load_from_file(str(demo_model).encode(), parameters)
    yield Vocabulary(model)
    llama.llama_model_free(model)


class Rules:
    """llama.cpp's own reading of the rules made from a schema."""

    def __init__(self, rules: str, vocabulary: Vocabulary) -> None:
        self._llama = api()
        self._handle = self._llama.llama_sampler_init_grammar(
            vocabulary._vocab, rules.encode(), b"root"
        )
        assert self._handle

    def allow(self, token: int) -> bool:
        one = self._llama.llama_token_data(id=token, logit=1.0, p=0.0)
        array = self._llama.llama_token_data_array(
            data=ctypes.pointer(one), size=1, selected=-1, sorted=False
        )
        self._llama.llama_sampler_apply(self._handle, ctypes.byref(array))
        return bool(one.logit != -math.inf)

    def accept(self, token: int) -> None:
        self._llama.llama_sampler_accept(self._handle, token)

    def close(self) -> None:
        self._llama.llama_sampler_free(self._handle)


def lengths(vocabulary: Vocabulary, schema: dict[str, object], unit: str, upto: int) -> list[int]:
    """How often the unit can stand in a list or string of the schema, up to a number."""
    opening, closing = ("[", "]") if schema["type"] == "array" else ('"', '"')
    rules = Rules(rules_for_schema(json.dumps(schema)), vocabulary)
    tokens = {text: vocabulary.tokenize(text, special=False).tolist() for text in (unit, ", ")}
    (first,), (last,) = (vocabulary.tokenize(text, special=False) for text in (opening, closing))
    assert rules.allow(int(first))
    rules.accept(int(first))
    found = []
    for count in range(upto + 1):
        if rules.allow(int(last)):
            found.append(count)
        between = tokens[", "] if count and opening == "[" else []
        for token in [*between, *tokens[unit]]:
            if not rules.allow(token):
                rules.close()
                return found
            rules.accept(token)
    rules.close()
    return found


@pytest.mark.parametrize(
    ("least", "most"), [(0, 0), (0, 1), (2, 3), (399, 401), (0, 2000), (2300, 2301)]
)
def test_lengths_of_texts_are_those_of_the_schema(
    vocabulary: Vocabulary, least: int, most: int
) -> None:
    schema = {"type": "string", "minLength": least, "maxLength": most}
    assert lengths(vocabulary, schema, "a", most + 1) == list(range(least, most + 1))


@pytest.mark.parametrize(("least", "most"), [(0, 0), (0, 1), (1, 1), (0, 3), (2, 5), (800, 802)])
def test_lengths_of_lists_are_those_of_the_schema(
    vocabulary: Vocabulary, least: int, most: int
) -> None:
    items = {"type": "boolean"}
    schema = {"type": "array", "items": items, "minItems": least, "maxItems": most}
    assert lengths(vocabulary, schema, "true", most + 1) == list(range(least, most + 1))


@pytest.mark.parametrize("most", [65_535, 2_147_483_647])
def test_a_bound_that_no_reply_reaches_does_no_harm(vocabulary: Vocabulary, most: int) -> None:
    for schema in ({"type": "string", "maxLength": most}, {"type": "array", "maxItems": most}):
        schema |= {"items": {"type": "boolean"}}
        unit = "a" if schema["type"] == "string" else "true"
        assert lengths(vocabulary, schema, unit, 20) == list(range(21))


def test_bounds_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(UserError, match="at least 3 and at most 1"):
        rules_for_schema('{"type": "string", "minLength": 3, "maxLength": 1}')
