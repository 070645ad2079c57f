"""The few SVG files a style sheet needs on disk: Qt loads `image: url()` from files alone.

They are written once per set of colours into a folder that goes when the process ends.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

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
    if not folder.is_dir():
        folder.mkdir()
        for name, color in colors.items():
            for shape, path in _SHAPES.items():
                svg = _SVG.format(color=color, shape=path)
                (folder / f"{shape}-{name}.svg").write_text(svg, encoding="utf-8")
    return folder


@lru_cache(maxsize=1)
def _root() -> Path:
    folder = tempfile.mkdtemp(prefix="leadline-glyphs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
