"""``leadline inspect MODEL``: what a model file says about itself, without loading it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from engine.models.demo import resolve_model
from engine.models.header import read_header
from engine.models.projector import projectors_beside
from engine.settings.engine_settings import KvType

if TYPE_CHECKING:
    import argparse

_GUESSING = (
    "The guessing layers (MTP) are not used: what they have to be fed can be had only outside of "
    "llama.cpp's C interface. A draft model or prompt lookup guesses instead."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="A GGUF file, or demo.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")


def run(options: argparse.Namespace) -> int:
    """Inspect; 0 when the file could be read."""
    path = resolve_model(options.model)
    facts = read_header(path).as_facts()
    if facts["kind"] == "model":
        facts["projectors"] = [str(beside) for beside in projectors_beside(path)]
    if options.json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        shown = (", ".join(map(str, value)) or "none") if isinstance(value, list) else value
        print(f"{_words(name):{width}}  {'unknown' if shown is None else shown}")
    if facts["guessing_layers"]:
        print(f"\n{_GUESSING}")
    return 0


def _words(name: str) -> str:
    words = name.replace("_", " ")
    for kv_type in get_args(KvType):
        # Its name keeps the underscore.
        words = words.replace(kv_type.replace("_", " "), kv_type)
    return words
