"""The few SVG files a style sheet needs on disk: Qt loads `image: url()` from files alone.

They are written once per set of colours into the cache, where a window that was killed leaves
nothing behind; where that cannot be written, into a folder that goes when the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from engine.paths import cache_dir

_SHAPES: Final = {
    "chevron": '<path d="M3.5 6l4.5 4.5L12.5 6"/>',
    "check": '<path d="M3.5 8.5l3 3 6-6.5"/>',
}
_SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none"'
    ' stroke="{color}" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">{shape}'
    "</svg>"
)


def glyph_folder(colors: dict[str, str]) -> Path:
    """A folder with ``<shape>-<name>.svg`` for every shape and named colour."""
    stamp = "-".join(color.lstrip("#") for _name, color in sorted(colors.items()))
    folder = _root() / stamp
    folder.mkdir(parents=True, exist_ok=True)
    for name, color in colors.items():
        for shape, path in _SHAPES.items():
            file = folder / f"{shape}-{name}.svg"
            if not file.exists():
                _write(file, _SVG.format(color=color, shape=path))
    return folder


def _write(file: Path, svg: str) -> None:
    """Write a file that is whole or not there, whoever else writes it now."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=".", delete=False
    ) as begun:
        begun.write(svg)
    Path(begun.name).replace(file)


def _root() -> Path:
    with contextlib.suppress(OSError):
        folder = cache_dir() / "glyphs"
        folder.mkdir(exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return _temporary()


@lru_cache(maxsize=1)
def _temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="leadline-glyphs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
