"""Which keywords of a JSON schema bind a reply, told and as llama.cpp reads the rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.llama.model import Model
from engine.llama.sampling_grammar import Grammar, rules_for_schema
from engine.llama.schema_keywords import not_enforced
from engine.llama.vocabulary import Vocabulary
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.model

_A = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
# A schema, a text that is against it, and the keywords that let it pass.
LEFT_OUT = {
    "number": ({"type": "integer", "minimum": 5, "maximum": 9, "multipleOf": 2}, "3", 3),
    "list": ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "[1,1]", 1),
    "no items": ({"type": "array", "maxItems": 1}, "[1,1]", 1),
    "tuple": ({"items": [{"type": "integer"}], "minItems": 2}, "[1]", 1),
    "union": ({"anyOf": [{"type": "integer"}], "type": "string", "enum": ["b"]}, "1", 2),
    "types": ({"type": ["integer", "string"], "minimum": 5}, "1", 1),
    "pattern": ({"type": "string", "pattern": "^a$", "minLength": 4}, '"a"', 1),
    "format": ({"type": "string", "format": "email"}, '"a"', 1),
    "properties": ({"type": "object", **_A, "allOf": [{"required": ["b"]}]}, '{"a":1}', 1),
    "required": ({"properties": {"a": {"type": "integer"}}, "required": ["b"]}, "{}", 1),
    "not": ({"type": "integer", "not": {"const": 1}}, "1", 1),
    "any of all": ({"allOf": [{"anyOf": [_A, {**_A, "minProperties": 2}]}]}, "{}", 1),
    "one of many": ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "1", 1),
    "one of two like it": ({"oneOf": [{"type": "object", **_A}, _A]}, '{"a":1}', 1),
    "below": ({"properties": {"n": {"type": "integer", "maximum": 3}}}, '{"n":7}', 1),
    "behind a reference": (
        {"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "number", "maximum": 3}}},
        "[7]",
        1,
    ),
}
# The same, where nothing lets it pass.
KEPT = {
    "lengths": ({"type": "string", "minLength": 2, "maxLength": 3}, '"a"'),
    "items": ({"items": {"type": "integer"}, "minItems": 2, "maxItems": 2}, "[1]"),
    "tuple": ({"prefixItems": [{"type": "integer"}], "items": False, "maxItems": 1}, "[1,1]"),
    "const": ({"type": "integer", "const": 1, "title": "One"}, "2"),
    "enum": ({"type": "string", "enum": ["a"], "default": "a"}, '"b"'),
    "required": ({"type": "object", **_A, "additionalProperties": False}, "{}"),
    "others": ({"type": "object", **_A, "unevaluatedProperties": False}, '{"a":1,"b":1}'),
    "all of": ({"allOf": [{"type": "object", **_A}]}, "{}"),
    "union": ({"type": "integer", "oneOf": [{"type": "integer", "const": 1}]}, '"a"'),
    "one of two types": ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "true"),
    "one of two values": ({"oneOf": [{"const": "a"}, {"enum": ["b", "c"]}]}, '"d"'),
    "one of two kinds": (
        {
            "oneOf": [
                {"type": "object", "properties": {"is": {"const": kind}}, "required": ["is"]}
                for kind in ("cat", "dog")
            ]
        },
        '{"is":"cow"}',
    ),
    "format": ({"type": "string", "format": "date"}, '"a"'),
    "nothing asked": ({"type": "array", "uniqueItems": False, "minItems": 0}, "1"),
    "itself": (
        {"properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"], "$defs": {"n": _A}},
        '{"a":{}}',
    ),
}


@pytest.fixture(scope="module")
def model(demo_model: Path) -> Iterator[Model]:
    made = Model(EngineSettings(model_path=str(demo_model), n_ctx=64), [], lambda *_: True)
    yield made
    made.close()


def follows(model: Model, schema: object, text: str) -> bool:
    """Whether a text can be the whole reply."""
    vocabulary = Vocabulary(model.handle)
    grammar = Grammar(rules_for_schema(json.dumps(schema)), vocabulary, model.handle)
    try:
        for token in vocabulary.tokenize(text, special=False).tolist():
            if not grammar.allows(token):
                return False
            grammar.accept(token)
        assert vocabulary.eos is not None
        return grammar.allows(vocabulary.eos)
    finally:
        grammar.close()


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_a_reply_need_not_follow_is_named(model: Model, name: str) -> None:
    schema, against, count = LEFT_OUT[name]
    assert follows(model, schema, against)
    assert len(not_enforced(json.dumps(schema))) == count


@pytest.mark.parametrize("name", KEPT)
def test_what_a_reply_has_to_follow_is_not(model: Model, name: str) -> None:
    schema, against = KEPT[name]
    assert not follows(model, schema, against)
    assert not_enforced(json.dumps(schema)) == ()


def test_the_keywords_are_named_once_each_and_in_order() -> None:
    schema, _, _ = LEFT_OUT["number"]
    assert not_enforced(json.dumps({"items": schema})) == ("maximum", "minimum", "multipleOf")
    assert not_enforced("  ") == ()
