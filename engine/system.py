"""What Leadline needs from the operating system, and which Debian packages bring it.

Standard library only. Qt's own libraries come with PySide6; what they link to does not. Nothing is
installed here: `engine.environment` does that, or prints the command.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

_COMPILERS = ("c++", "g++", "clang++")
_FONT_DIRS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
_FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
_FONT_PACKAGE = "fonts-dejavu-core"

# Shared library -> Debian package, for what Qt's gui, offscreen, xcb and wayland parts link to.
_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}


def has_display() -> bool:
    """Whether a window can open here; only Linux can be without a display."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_compiler() -> list[str]:
    """The package that brings a C++ compiler, when there is none."""
    if os.environ.get("CXX") or any(shutil.which(name) for name in _COMPILERS):
        return []
    return ["build-essential"] if sys.platform == "linux" else []


def missing_for_qt(pyside_dir: Path, *, has_display: bool) -> list[str]:
    """The packages without which the window, on a screen or offscreen, would not start.

    Args:
        pyside_dir: The installed PySide6 package.
        has_display: Whether the window goes to a screen, which needs one more Qt plugin.
    """
    if sys.platform != "linux":
        return []
    plugins = ["libqoffscreen.so"]
    if has_display:
        plugins.append("libqxcb.so" if os.environ.get("DISPLAY") else "libqwayland.so")
    parts = [pyside_dir / "QtWidgets.abi3.so", pyside_dir / "QtSvg.abi3.so"]
    parts += [pyside_dir / "Qt" / "plugins" / "platforms" / name for name in plugins]
    packages = {package for part in parts for package in packages_for(_ldd(part))}
    if not has_fonts([Path(name).expanduser() for name in _FONT_DIRS]):
        packages.add(_FONT_PACKAGE)
    return sorted(packages)


def packages_for(ldd_output: str) -> set[str]:
    """The packages of the libraries that ldd did not find; an unknown one keeps its file name."""
    missing = re.findall(r"^\s*(\S+) => not found", ldd_output, flags=re.MULTILINE)
    return {_PACKAGES.get(name, name) for name in missing}


def has_fonts(folders: list[Path]) -> bool:
    """Whether any of the folders holds a font; without one Qt draws empty boxes."""
    files = (name for folder in folders for _, _, names in os.walk(folder) for name in names)
    return any(name.lower().endswith(_FONT_SUFFIXES) for name in files)


def _ldd(path: Path) -> str:
    # Without ldd (no glibc) nothing is known: Qt itself will say what it lacks.
    ldd = shutil.which("ldd")
    if ldd is None or not path.exists():
        return ""
    return subprocess.run([ldd, str(path)], capture_output=True, text=True).stdout


def processor() -> str:
    """What tells processors apart that need different builds."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {flags}"
