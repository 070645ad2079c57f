"""Command-line options, made from the declarations."""

from __future__ import annotations

import argparse
from typing import TypeVar

import msgspec

from engine.errors import UserError
from engine.models.demo import named_model
from engine.settings.declare import Form
from engine.settings.schema import Kind, SettingInfo, allowed, setting_infos, validated

S = TypeVar("S", bound=msgspec.Struct)


def add_options(
    parser: argparse.ArgumentParser,
    declared: type[msgspec.Struct],
    *,
    leave_out: frozenset[str] = frozenset(),
) -> None:
    """Add one option per setting, grouped as the form groups them."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for info in setting_infos(declared):
        if info.name in leave_out:
            continue
        group = groups.get(info.group) or parser.add_argument_group(info.group)
        groups[info.group] = group
        text = _help(info).replace("%", "%%")
        if info.kind is Kind.FLAG:
            group.add_argument(
                info.option,
                dest=info.name,
                action=argparse.BooleanOptionalAction,
                default=None,
                help=text,
            )
        else:
            # Values stay text here: `settings_from` converts and explains what is wrong.
            group.add_argument(
                info.option, dest=info.name, default=None, metavar=_metavar(info), help=text
            )


def settings_from(options: argparse.Namespace, base: S) -> S:
    """The settings a command line asks for, on top of a base.

    Raises:
        UserError: ``settings.invalid`` for a value that is not allowed.
    """
    for info in setting_infos(type(base)):
        raw = getattr(options, info.name, None)
        if raw is not None:
            base = validated(base, **{info.name: parsed(info, raw)})
    return base


def parsed(info: SettingInfo, raw: object) -> object:
    """A value from its text on the command line or in a form's field.

    Raises:
        UserError: ``settings.invalid`` when the text is not of the setting's kind;
            ``models.demo_missing``.
    """
    if not isinstance(raw, str):
        return raw
    if info.form is Form.MODEL:
        return named_model(raw)
    try:
        match info.kind:
            case Kind.INTEGER:
                return int(raw.replace(",", "").replace("_", ""))
            case Kind.NUMBER:
                return float(raw)
            case Kind.INTEGERS:
                return tuple(int(part) for part in raw.split(",") if part.strip())
            case Kind.TEXTS:
                return tuple(_unescaped(part) for part in raw.split(",") if part)
            case Kind.FLAG:
                return {"on": True, "true": True, "off": False, "false": False}[raw.lower()]
            case _:
                return raw
    except (ValueError, KeyError) as error:
        raise UserError(
            "settings.invalid", title=info.title, value=raw, allowed=allowed(info)
        ) from error


def _unescaped(part: str) -> str:
    # A newline is the most wanted stop string and hard to type in a shell or in one line.
    return part.replace("\\n", "\n").replace("\\t", "\t")


def _metavar(info: SettingInfo) -> str:
    if info.choices:
        return "{" + ",".join(info.choices) + "}"
    if info.form in (Form.FILE, Form.MODEL):
        return info.form.upper()
    return {
        Kind.INTEGER: "N",
        Kind.NUMBER: "X",
        Kind.INTEGERS: "N,N",
        Kind.TEXTS: "A,B",
    }.get(info.kind, "TEXT")


def _help(info: SettingInfo) -> str:
    default = shown(info, info.default)
    return f"{info.help} Default: {default}."


def shown(info: SettingInfo, value: object) -> str:
    """A value in words, as help, reference and form show it."""
    if info.special and value == info.minimum:
        return info.special
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or "none"
