"""The files that a style sheet names: there, whole, and not left behind by a killed window."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.paths import cache_dir
from widgets.glyphs import glyph_folder

COLORS = {"dim": "#123456", "accent": "#abcdef"}


def test_they_lie_in_the_cache_and_what_is_missing_is_written_again() -> None:
    before = set(Path(tempfile.gettempdir()).glob("leadline-glyphs-*"))
    folder = glyph_folder(COLORS)
    assert folder.is_relative_to(cache_dir())
    lost = folder / "check-accent.svg"
    lost.unlink()
    assert glyph_folder(COLORS) == folder
    assert "#abcdef" in lost.read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == [
        "check-accent.svg",
        "check-dim.svg",
        "chevron-accent.svg",
        "chevron-dim.svg",
    ]
    assert set(Path(tempfile.gettempdir()).glob("leadline-glyphs-*")) == before
