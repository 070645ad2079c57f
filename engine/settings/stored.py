"""Settings as JSON: lenient reading, so that one bad value never costs all the others.

A stored object has a version. Values that no longer exist or no longer validate are left out and
named in a list of problems; renamed settings are carried over.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from engine.errors import Problem
from engine.settings.schema import problem_with, validated

S = TypeVar("S", bound=msgspec.Struct)

VERSION = 1
# (version it changed in, old name, new name): older files are read through these.
RENAMED: tuple[tuple[int, str, str], ...] = ()


def to_stored(settings: msgspec.Struct) -> dict[str, Any]:
    """Plain JSON data of the values that differ from the defaults, with a version."""
    values: dict[str, Any] = msgspec.to_builtins(settings)
    return {"version": VERSION, "values": values}


def from_stored(declared: type[S], stored: object) -> tuple[S, tuple[Problem, ...]]:
    """Settings from JSON data, and what could not be used of it."""
    if not isinstance(stored, dict) or not isinstance(stored.get("values"), dict):
        return declared(), (Problem(code="settings.unreadable"),)
    version = stored.get("version")
    values: dict[str, Any] = dict(stored["values"])
    for since, old, new in RENAMED:
        if isinstance(version, int) and version < since and old in values:
            values.setdefault(new, values.pop(old))
    settings, problems = declared(), []
    for name, value in values.items():
        problem = problem_with(declared, name, value)
        if problem:
            problems.append(problem)
        else:
            settings = validated(settings, **{name: value})
    return settings, tuple(problems)
