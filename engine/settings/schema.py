"""Reads the declarations back: one `SettingInfo` per field, validation, equality and cost."""

from __future__ import annotations

import types
import typing
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from engine.errors import Problem, UserError
from engine.settings.declare import Cost, Form, Group

S = TypeVar("S", bound=msgspec.Struct)


class Kind(StrEnum):
    """What a setting holds; decides its editor and its command-line option."""

    FLAG = "flag"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    CHOICE = "choice"
    INTEGERS = "integers"
    TEXTS = "texts"


class SettingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One declared setting.

    Attributes:
        name: Field name; the option is the same with dashes.
        minimum: Smallest value, inclusive; None without bound.
        maximum: Largest value, inclusive; None without bound.
        special: What the smallest value means, e.g. ``"auto"``; empty when it means itself.
        step: Step of a spin box; None leaves it to the editor.
    """

    name: str
    kind: Kind
    default: Any
    title: str
    help: str
    group: Group
    cost: Cost
    form: Form
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    special: str = ""
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The command-line option."""
        return "--" + self.name.replace("_", "-")


@cache
def setting_infos(declared: type[msgspec.Struct]) -> tuple[SettingInfo, ...]:
    """All settings of a declaration, in the order of its groups, then of its fields."""
    hints = _hints(declared)
    infos = [_info(field, hints[field.name]) for field in msgspec.structs.fields(declared)]
    order = list(Group)
    return tuple(sorted(infos, key=lambda info: order.index(info.group)))


@cache
def _hints(declared: type[msgspec.Struct]) -> dict[str, Any]:
    return typing.get_type_hints(declared, include_extras=True)


def _info(field: msgspec.structs.FieldInfo, hint: Any) -> SettingInfo:  # noqa: ANN401
    bare, meta = get_args(hint)[:2]
    kind = _kind(bare)
    extra = meta.extra
    return SettingInfo(
        name=field.name,
        kind=kind,
        default=field.default,
        title=meta.title,
        help=meta.description,
        group=extra["group"],
        cost=extra["cost"],
        form=extra["form"],
        unit=extra["unit"],
        minimum=meta.ge,
        maximum=meta.le,
        step=float(extra["step"]) if "step" in extra else None,
        special=extra["special"],
        choices=get_args(bare) if kind is Kind.CHOICE else (),
    )


_PLAIN: dict[Any, Kind] = {
    bool: Kind.FLAG,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    tuple[int, ...]: Kind.INTEGERS,
    tuple[str, ...]: Kind.TEXTS,
}


def _kind(bare: Any) -> Kind:  # noqa: ANN401
    if get_origin(bare) is Literal:
        return Kind.CHOICE
    if isinstance(bare, types.UnionType):
        raise TypeError(f"a setting has one type: {bare}")
    return _PLAIN[bare]


def info_for(declared: type[msgspec.Struct], name: str) -> SettingInfo:
    """One setting by its field name; KeyError when there is none."""
    for info in setting_infos(declared):
        if info.name == name:
            return info
    raise KeyError(name)


def validated(settings: S, **changes: Any) -> S:  # noqa: ANN401
    """A copy with changes, checked against the declared types and bounds.

    Raises:
        UserError: ``settings.invalid`` with the setting's title, the value and what is allowed.
    """
    declared = type(settings)
    for name, value in changes.items():
        problem = problem_with(declared, name, value)
        if problem:
            raise UserError.of(problem)
    return msgspec.structs.replace(
        settings, **{name: _converted(declared, name, value) for name, value in changes.items()}
    )


def problem_with(
    declared: type[msgspec.Struct],
    name: str,
    value: Any,  # noqa: ANN401
) -> Problem | None:
    """What is wrong with a value for a setting, or None."""
    try:
        info = info_for(declared, name)
    except KeyError:
        return Problem(code="settings.unknown", params={"name": name})
    try:
        _converted(declared, name, value)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        return Problem(
            code="settings.invalid",
            params={"title": info.title, "value": str(value), "allowed": allowed(info)},
            detail=str(error),
        )
    return None


def _converted(declared: type[msgspec.Struct], name: str, value: Any) -> Any:  # noqa: ANN401
    converted = msgspec.convert(value, _hints(declared)[name])
    if isinstance(converted, float) and converted != converted:
        raise ValueError("not a number")
    return converted


def allowed(info: SettingInfo) -> str:
    """What values a setting takes, in words."""
    if info.choices:
        return ", ".join(info.choices)
    if info.kind is Kind.FLAG:
        return "on or off"
    if info.minimum is not None and info.maximum is not None:
        return f"{info.minimum:,.10g} to {info.maximum:,.10g}"
    if info.form is Form.MODEL:
        return "a GGUF file"
    return {
        Kind.INTEGERS: "whole numbers separated by commas",
        Kind.TEXTS: "texts separated by commas",
        Kind.INTEGER: "a whole number",
        Kind.NUMBER: "a number",
    }.get(info.kind, "text")


def changed(settings: msgspec.Struct, against: msgspec.Struct | None = None) -> tuple[str, ...]:
    """Names of the settings that differ from another value, or from the defaults."""
    other = against if against is not None else type(settings)()
    return tuple(
        info.name
        for info in setting_infos(type(settings))
        if getattr(settings, info.name) != getattr(other, info.name)
    )


def cost_of(old: msgspec.Struct, new: msgspec.Struct) -> Cost:
    """The most that any changed setting costs to apply."""
    ladder = [Cost.NOTHING, Cost.CONTEXT, Cost.RELOAD]
    costs = [info_for(type(new), name).cost for name in changed(new, old)]
    return max(costs, key=ladder.index, default=Cost.NOTHING)
