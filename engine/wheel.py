"""Builds llama-cpp-python once per machine and backend, and keeps the wheel for every copy.

Standard library only. uv alone would do, but for registries that forbid caching it forgets a build
as soon as another backend is built.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.build import COMMON_SETTINGS, PACKAGE, Backend, build_settings
from engine.build_progress import run_build
from engine.system import processor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PIP = "pip==26.3"
_ENTRY = re.compile(rf"^{PACKAGE}==(\S+)[^\n]*\n(?:[ ]{{4}}[^\n]*\n)+", flags=re.MULTILINE)
_GIB_PER_JOB = 2


class Wheel:
    """The wheel of one backend for this machine: where it is kept, and how it comes there.

    Args:
        lock_text: A lock that names llama-cpp-python, with the hash of its source.
        backend: What to build it for.
        cache_dir: Where wheels are kept; the user's cache folder unless a test says otherwise.
    """

    def __init__(self, lock_text: str, backend: Backend, cache_dir: Path | None = None) -> None:
        self._requirement, version = locked_requirement(lock_text)
        self._backend = backend
        self._settings = COMMON_SETTINGS | build_settings(backend)
        # Builds use all that this processor can do: they do not fit every other one.
        parts = [self._requirement, repr(sorted(self._settings.items())), processor()]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        folder = f"{version}-{backend}-{digest[:12]}"
        self._dir = (cache_dir or user_cache_dir() / "wheels") / folder

    @property
    def path(self) -> Path | None:
        """The wheel, or ``None`` while it is not built."""
        return next(self._dir.glob("*.whl"), None)

    def build(self, uv: Path, python: Path, say: Callable[[str], None]) -> bool:
        """Build it from the locked source, which takes minutes; whether that succeeded.

        Args:
            uv: The program that fetches pip.
            python: For which Python.
            say: Takes a line every half minute, and the last lines of a build that failed.
        """
        self._dir.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that an interrupted build leaves no half a wheel there.
        with tempfile.TemporaryDirectory(dir=self._dir) as scratch:
            requirements = Path(scratch) / "requirements.txt"
            requirements.write_text(self._pip_requirement(), encoding="utf-8")
            command = [str(uv), "tool", "run", "--quiet", "--python", str(python)]
            command += ["--from", _PIP, "pip", "wheel", "--verbose", "--disable-pip-version-check"]
            command += ["--no-cache-dir", "--no-deps", "--require-hashes"]
            command += ["--requirement", str(requirements), "--wheel-dir", scratch]
            what = f"llama.cpp for {self._backend}"
            if not run_build(command, what=what, env=_build_env(os.environ), say=say):
                return False
            built = next(Path(scratch).glob("*.whl"))
            if not self._holds_what_was_asked(built):
                return False
            shutil.move(built, self._dir / built.name)
        return True

    def _pip_requirement(self) -> str:
        """The entry with its settings: pip heeds none of the command line for what a file names."""
        settings = [
            f'--config-settings="cmake.define.{name}={value}"'
            for name, value in self._settings.items()
        ]
        return " \\\n    ".join([self._requirement.rstrip(), *settings]) + "\n"

    def _holds_what_was_asked(self, wheel: Path) -> bool:
        """Whether the library of every setting that is on was really built."""
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        asked = [name for name, value in self._settings.items() if value == "ON"]
        libraries = [f"ggml-{name.removeprefix('GGML_').lower()}." for name in asked]
        return all(any(library in name for name in names) for library in libraries)


def locked_requirement(lock_text: str) -> tuple[str, str]:
    """llama-cpp-python's entry in a lock, hashes included, and its version.

    Raises:
        ValueError: When the lock does not name it.
    """
    found = _ENTRY.search(lock_text)
    if found is None:
        raise ValueError(f"the lock does not name {PACKAGE}")
    lines = found.group(0).splitlines()
    entry = "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))
    return entry, found.group(1)


def without_locked_requirement(lock_text: str) -> str:
    """The rest of the lock: what is installed as it comes."""
    return _ENTRY.sub("", lock_text)


def user_cache_dir() -> Path:
    """Leadline's cache folder. `engine.paths` says the same, but needs installed packages."""
    home = os.environ.get("LEADLINE_HOME")
    if home:
        return Path(home) / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "leadline"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leadline"


def _build_env(environment: Mapping[str, str]) -> dict[str, str]:
    """Compile on all cores, but leave 2 GiB of memory to each compiler (nvcc takes that much)."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    jobs = max(1, min(os.cpu_count() or 1, int(memory_gib / _GIB_PER_JOB)))
    return {"CMAKE_BUILD_PARALLEL_LEVEL": str(jobs), **environment}
