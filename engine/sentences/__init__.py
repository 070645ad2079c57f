"""Every sentence the engine says to a user, by code.

One module per capability holds its own table; this module merges them. A sentence is a
`str.format` template. Tests check that each code is defined once and that each template formats.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = (
    "app",
    "parts",
    "worker",
    "engine",
    "overflow",
    "models",
    "settings",
    "documents",
    "embedding",
    "planning",
    "telemetry",
    "stores",
    "lab",
    "bench",
    "reuse",
    "templates",
)


class _Blank(dict[str, object]):
    """A missing parameter shows as its name, so that a sentence is never lost to a KeyError."""

    def __missing__(self, key: str) -> str:
        return f"[{key}]"


@cache
def table() -> Mapping[str, tuple[str, str]]:
    """All sentences: code -> (message template, fix template)."""
    merged: dict[str, tuple[str, str]] = {}
    for name in _TABLES:
        part = import_module(f"engine.sentences.{name}").SENTENCES
        twice = merged.keys() & part.keys()
        if twice:
            raise ValueError(f"sentence defined twice: {sorted(twice)}")
        merged.update(part)
    return merged


def message_for(code: str, params: Mapping[str, object]) -> str:
    """The sentence for a code; an unknown code is shown as it is rather than hidden."""
    template = table().get(code, (code, ""))[0]
    return template.format_map(_Blank(params))


def fix_for(code: str, params: Mapping[str, object]) -> str:
    """The advice for a code, empty when there is none."""
    template = table().get(code, ("", ""))[1]
    return template.format_map(_Blank(params))
