"""``leadline``: without arguments it opens the window; with a command it runs that."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Command(Protocol):
    """A module of this package: declares its options and runs."""

    def add_options(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


# Name and purpose; a command's module is imported only when it is the one that is run.
_COMMANDS = {
    "ask": "Ask a model a question, about documents if you like.",
    "devices": "List the devices a model can be put on, and how the engine was built.",
    "inspect": "Show a model file's architecture, layers, heads, context and KV bytes per token.",
    "plan": "Tell what a model would take on each device, without loading it.",
    "fit": "Find settings that fit: the longest context, the fastest, or the best quality.",
    "bench": "Measure reading and writing speed at depth, beside llama.cpp's own.",
    "node": "Lend this machine's devices to a Leadline on another machine.",
}


# What the engine said last; more of it is shown with --log.
_DETAIL_CHARACTERS = 1500


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] == "window":
        from app.window.main import main as open_window

        return open_window(given[1:])
    try:
        options = _parser(given).parse_args(given)
        return _command(options.command).run(options)
    except UserError as error:
        _report(error, as_json="--json" in given)
        return 1
    except KeyboardInterrupt:
        # Also while a command is still being imported, which takes a second on a slow disk.
        return 130
    except BrokenPipeError:
        return 141


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leadline",
        description="Local long-context inference. Without a command, the window opens.",
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in _COMMANDS.items():
        sub = subparsers.add_parser(name, help=purpose, description=purpose)
        if name in given[:1]:
            _command(name).add_options(sub)
    subparsers.add_parser("window", help="Open the window (the default).")
    return parser


def _command(name: str) -> _Command:
    return cast("_Command", import_module(f"app.cli.{name}"))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"leadline {version('leadline')}"
    except PackageNotFoundError:
        return "leadline (not installed)"


def _report(error: UserError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": error.problem.as_json()}, ensure_ascii=False))
        return
    if error.problem.detail:
        print(error.problem.detail[-_DETAIL_CHARACTERS:], file=sys.stderr)
    print(error.message, file=sys.stderr)
    if error.fix:
        print(error.fix, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
