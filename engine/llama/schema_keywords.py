"""Which keywords of a JSON schema the rules made from it leave out.

The converter takes the first kind of schema that fits and does not look at the other keywords of
that place; this walks through a schema as it does. It reads `oneOf` as `anyOf`, which is the same
where no two of its schemas can hold at once.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

Schema = dict[str, Any]

# What narrows the values of a place, from every version of the specification.
_KEYWORDS = (
    "$dynamicRef $recursiveRef $ref additionalItems additionalProperties allOf anyOf const contains"
    " dependencies dependentRequired dependentSchemas else enum exclusiveMaximum exclusiveMinimum"
    " format if items maxContains maxItems maxLength maxProperties maximum minContains minItems"
    " minLength minProperties minimum multipleOf not oneOf pattern patternProperties prefixItems"
    " properties propertyNames required then type unevaluatedItems unevaluatedProperties"
    " uniqueItems"
)
_NARROWING = frozenset(_KEYWORDS.split())
_FORMATS = re.compile(r"uuid[1-5]?|date|time|date-time")


def not_enforced(schema: str) -> tuple[str, ...]:
    """Keywords that a reply need not keep to, of a schema that can be converted; sorted."""
    root = json.loads(schema) if schema.strip() else {}
    left_out: set[str] = set()
    seen: set[int] = set()
    places: list[Schema] = [root]
    while places:
        place = places.pop()
        if isinstance(place, dict) and id(place) not in seen:
            seen.add(id(place))
            kept, below = _read(place, root)
            places += below
            left_out |= {
                name for name in _NARROWING & place.keys() - kept if _narrows(name, place[name])
            }
    return tuple(sorted(left_out))


def _narrows(name: str, value: object) -> bool:
    """Whether a keyword rules anything out with its value."""
    if name.startswith(("additional", "unevaluated")):
        return value is not True
    return bool(value) or not name.startswith(("min", "unique", "required"))


def _read(place: Schema, root: Schema) -> tuple[set[str], list[Any]]:
    """The keywords of one place that are kept, and the schemas below it that are read."""
    kind = place.get("type")
    if place.get("$ref") is not None:
        return _with_type({"$ref"}, place, [_target(place, root)])
    if "oneOf" in place or "anyOf" in place:
        name = "oneOf" if place.get("oneOf") else "anyOf"
        below = [_target(one, root) for one in place[name]]
        # Of one that is read as the other, nothing keeps a second schema from holding as well.
        is_kept = name == "anyOf" or all(_exclude(*two) for two in combinations(below, 2))
        return _with_type({name} if is_kept else set(), place, below)
    if isinstance(kind, list):
        return {"type"}, []
    for name in ("const", "enum"):
        if name in place:
            return {name, "type"}, []
    if kind in (None, "object") and (
        "properties" in place or place.get("additionalProperties", True) is not True
    ):
        return _read_object(place)
    if kind in (None, "object") and "allOf" in place:
        return _read_all_of(place, root)
    if kind in (None, "array") and ("items" in place or "prefixItems" in place):
        return _read_array(place)
    return _read_text(place), []


def _with_type(kept: set[str], place: Schema, below: list[Any]) -> tuple[set[str], list[Any]]:
    """A type beside other schemas is kept where these are of the same."""
    is_theirs = all(isinstance(one, dict) and one.get("type") == place.get("type") for one in below)
    return (kept | {"type"} if is_theirs else kept), below


def _exclude(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether it can be seen that no value is of two schemas at once."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return one is False or other is False
    kinds = {str(one.get("type")), str(other.get("type"))}
    if len(kinds) == 2 and "type" in one and "type" in other:
        are_single = isinstance(one["type"], str) and isinstance(other["type"], str)
        return are_single and kinds != {"integer", "number"}
    ours, theirs = _values(one), _values(other)
    if ours is not None and theirs is not None:
        return ours.isdisjoint(theirs)
    if one.get("type") == other.get("type") == "object":
        shared = _required(one) & _required(other)
        return any(_exclude(_property(one, name), _property(other, name)) for name in shared)
    return False


def _values(place: Schema) -> set[str] | None:
    """The only values of a place, as JSON; None where it names none."""
    if "const" in place:
        return {json.dumps(place["const"], sort_keys=True)}
    if isinstance(place.get("enum"), list):
        return {json.dumps(value, sort_keys=True) for value in place["enum"]}
    return None


def _property(place: Schema, name: str) -> object:
    return place.get("properties", {}).get(name, True)


def _read_object(place: Schema) -> tuple[set[str], list[Any]]:
    properties, others = place.get("properties", {}), place.get("additionalProperties")
    kept = {"type", "properties", "additionalProperties"}
    if _required(place) <= properties.keys():
        kept.add("required")
    if not others:
        # Without a word on them there are no others either.
        kept.add("unevaluatedProperties")
    return kept, [*properties.values(), others]


def _read_all_of(place: Schema, root: Schema) -> tuple[set[str], list[Any]]:
    """Of schemas that all hold, only the properties are read; alternatives are thrown together."""
    below: list[Any] = []
    whole = True
    for one in place["allOf"]:
        for part in one.get("anyOf", [one]):
            target = _target(part, root)
            properties = target.get("properties", {})
            below += properties.values()
            others = set(_NARROWING & target.keys() - {"properties", "additionalProperties"})
            if target.get("type") == "object":
                others.discard("type")
            if _required(target) <= properties.keys():
                others.discard("required")
            whole = whole and "anyOf" not in one and bool(properties) and not others
    return ({"type", "allOf"} if whole else {"type"}), below


def _read_array(place: Schema) -> tuple[set[str], list[Any]]:
    name = "items" if place.get("items") else "prefixItems"
    items = place[name]
    if not isinstance(items, list):
        return {"type", name, "minItems", "maxItems"}, [items]
    # Exactly these, and no more.
    kept = {"type", name, "additionalItems", "unevaluatedItems"}
    if place.get("items") is False:
        kept.add("items")
    count = len(items)
    kept |= {"minItems"} if place.get("minItems") in range(count + 1) else set()
    kept |= {"maxItems"} if place.get("maxItems") not in range(count) else set()
    return kept, list(items)


def _read_text(place: Schema) -> set[str]:
    if place.get("type") in (None, "string"):
        if "pattern" in place:
            return {"type", "pattern"}
        if _FORMATS.fullmatch(str(place.get("format", ""))):
            return {"type", "format"}
        return {"type", "minLength", "maxLength"}
    return {"type"}


def _required(place: Schema) -> set[str]:
    names = place.get("required")
    return set(names) if isinstance(names, list) else set()


def _target(place: Any, root: Schema) -> Any:  # noqa: ANN401
    """What a place stands for: itself, or what it refers to within the schema."""
    ref = place.get("$ref") if isinstance(place, dict) else None
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return place
    found: Any = root
    for name in ref.split("/")[1:]:
        found = found[name]
    return found
