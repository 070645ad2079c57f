"""Runs the Jinja of a model file, which anyone may have written, within limits.

Jinja's own sandbox keeps a template away from Python's internals. What it does not bound is work
and size: here every loop pass and macro call looks at a deadline, and what is joined, multiplied or
printed may not grow past a limit.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.parser import Parser
    from jinja2.runtime import Context

_SECONDS = 2.0
# A prompt that fills a window of a million tokens has about 5 million characters.
_MOST_CHARACTERS = 64_000_000


class TemplateFailedError(Exception):
    """A template that does not parse, raises, or goes past a limit; the text says which."""


class TemplateLimitError(TemplateFailedError):
    """A template that goes past a limit: there is no use in trying it another way."""


class _GenerationTag(Extension):
    """``{% generation %}`` marks what a model was trained to write; it prints its body."""

    tags = {"generation"}  # noqa: RUF012 - a set is what jinja2 declares.

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a deadline and a limit on sizes."""

    intercepted_binops = frozenset(["+", "*", "**"])

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[loopcontrols, _GenerationTag],
        )
        self.deadline = 0.0

    def tick(self) -> str:
        """Called by every pass of a loop and every macro."""
        if time.monotonic() > self.deadline:
            raise TemplateLimitError(f"it runs longer than {_SECONDS:g} seconds")
        return ""

    def join_all(self, *parts: Any) -> str:  # noqa: ANN401
        """The ``~`` operator."""
        texts = [str(part) for part in parts]
        _bound(sum(map(len, texts)))
        return "".join(texts)

    def call_binop(
        self,
        context: Context,
        operator: str,
        left: Any,  # noqa: ANN401
        right: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """An operator that can make something large."""
        if operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            _bound(len(left) + len(right))
        elif operator == "*":
            _bound(_product(left, right))
        elif operator == "**":
            # Digits are not characters, but no template has use for as many.
            _bound(abs(right) * 10_000 if isinstance(right, int) else 0)
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock)):
            assert isinstance(node, nodes.For | nodes.Macro | nodes.CallBlock)
            node.body.insert(0, nodes.Output([_call_of("tick", [])]))
        _replace_concats(tree)
        return tree


def _call_of(method: str, arguments: list[nodes.Expr]) -> nodes.Call:
    # An attribute of the environment: no name that a template could set anew.
    return nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None)


def _replace_concats(node: nodes.Node) -> None:
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            _replace_concats(value)
            if isinstance(value, nodes.Concat):
                setattr(node, field, _call_of("join_all", list(value.nodes)))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, nodes.Node):
                    _replace_concats(item)
                    if isinstance(item, nodes.Concat):
                        value[index] = _call_of("join_all", list(item.nodes))


def _product(left: Any, right: Any) -> int:  # noqa: ANN401
    for sized, times in ((left, right), (right, left)):
        if hasattr(sized, "__len__") and isinstance(times, int):
            return len(sized) * times
    return 0


def _bound(size: int) -> None:
    if size > _MOST_CHARACTERS:
        raise TemplateLimitError(f"it makes a text of {size:,} characters")


class SandboxedTemplate:
    """One template, compiled. Used by one thread at a time.

    Args:
        source: Jinja text.
        constants: Names it can use beside those of each rendering.

    Raises:
        TemplateFailedError: It does not parse.
    """

    def __init__(self, source: str, constants: Mapping[str, Any]) -> None:
        self._environment = _Environment()
        # One moment for as long as the model is loaded: a date that changed in the middle of a chat
        # would have everything after it read again.
        loaded_at = datetime.now().astimezone()
        self._environment.globals.update(
            {
                "raise_exception": _raise_exception,
                "strftime_now": loaded_at.strftime,
                **constants,
            }
        )
        self._environment.filters["tojson"] = _to_json
        self._environment.deadline = time.monotonic() + _SECONDS
        try:
            self._template = self._environment.from_string(source)
        except (TemplateError, RecursionError, ValueError) as error:
            raise TemplateFailedError(_one_line(error)) from error

    def render(self, **variables: Any) -> str:  # noqa: ANN401
        """What the template makes of its variables.

        Raises:
            TemplateFailedError: It raises, or goes past a limit.
        """
        self._environment.deadline = time.monotonic() + _SECONDS
        parts: list[str] = []
        size = 0
        try:
            for part in self._template.generate(**variables):
                size += len(part)
                _bound(size)
                parts.append(part)
        except TemplateFailedError:
            raise
        # A template can raise anything that Python can.
        except Exception as error:
            raise TemplateFailedError(_one_line(error)) from error
        return "".join(parts)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateFailedError(_one_line(message))


def _to_json(value: Any, indent: int | None = None, **_options: Any) -> str:  # noqa: ANN401
    # Jinja's own escapes for HTML, which a model was not trained on.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _one_line(reason: object) -> str:
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text.rstrip(".")[:200]
