"""The README's table of keys is the one that the window works by."""

from __future__ import annotations

from pathlib import Path

from widgets.actions import SPECS, shortcut_table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_lists_every_key() -> None:
    assert shortcut_table(SPECS) in README.read_text(encoding="utf-8")
