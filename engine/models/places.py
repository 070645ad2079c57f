"""Where other apps keep their models on this computer."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SourceKind = Literal["lmstudio", "ollama", "huggingface", "llama.cpp", "folder"]
_MAX_SETTINGS_BYTES = 1024**2


class Place(msgspec.Struct, frozen=True):
    """A folder to look for models in, and whose it is."""

    kind: SourceKind
    folder: Path


def places(
    user_folders: Iterable[str | Path] = (),
    *,
    home: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Place, ...]:
    """All folders that are there: the user's own, then those of other apps.

    Args:
        user_folders: Folders from the settings.
        home: The user's home folder; by default the real one.
        environment: Variables that move the folders; by default the real ones.
    """
    at_home = home or Path.home()
    variables = os.environ if environment is None else environment
    wanted: list[Place] = [Place("folder", Path(one).expanduser()) for one in user_folders]
    wanted += [Place("lmstudio", folder) for folder in _lm_studio(at_home)]
    wanted += [Place("ollama", folder) for folder in _ollama(at_home, variables)]
    wanted += [Place("huggingface", folder) for folder in _hugging_face(at_home, variables)]
    wanted += [Place("llama.cpp", folder) for folder in _llama_cpp(at_home, variables)]
    found: dict[Path, Place] = {}
    for place in wanted:
        if _is_folder(place.folder):
            found.setdefault(place.folder, place)
    return tuple(found.values())


def _lm_studio(home: Path) -> list[Path]:
    bases = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    pointer = _small_text(home / ".lmstudio-home-pointer").strip()
    if pointer:
        bases.insert(0, Path(pointer))
    folders = []
    for base in bases:
        chosen = _setting(base / "settings.json", "downloadsFolder")
        folders += [Path(chosen)] if chosen else []
        folders.append(base / "models")
    return folders


def _ollama(home: Path, variables: Mapping[str, str]) -> list[Path]:
    moved = variables.get("OLLAMA_MODELS")
    folders = [Path(moved)] if moved else []
    folders.append(home / ".ollama" / "models")
    if sys.platform.startswith("linux"):
        # The installer's system service has a home of its own.
        folders += [Path("/usr/share/ollama/.ollama/models"), Path("/var/lib/ollama/models")]
    return folders


def _hugging_face(home: Path, variables: Mapping[str, str]) -> list[Path]:
    folders = [
        Path(variables[name])
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
        if variables.get(name)
    ]
    if variables.get("HF_HOME"):
        folders.append(Path(variables["HF_HOME"]) / "hub")
    if variables.get("XDG_CACHE_HOME"):
        folders.append(Path(variables["XDG_CACHE_HOME"]) / "huggingface" / "hub")
    return [*folders, home / ".cache" / "huggingface" / "hub"]


def _llama_cpp(home: Path, variables: Mapping[str, str]) -> list[Path]:
    folders = [Path(variables["LLAMA_CACHE"])] if variables.get("LLAMA_CACHE") else []
    if sys.platform == "win32":
        local = variables.get("LOCALAPPDATA")
        return [*folders, *([Path(local) / "llama.cpp"] if local else [])]
    if sys.platform == "darwin":
        return [*folders, home / "Library" / "Caches" / "llama.cpp"]
    caches = Path(variables.get("XDG_CACHE_HOME") or home / ".cache")
    return [*folders, caches / "llama.cpp"]


def _setting(path: Path, name: str) -> str:
    try:
        stored = json.loads(_small_text(path) or "{}")
    except (ValueError, RecursionError):
        return ""
    value = stored.get(name) if isinstance(stored, dict) else None
    return value if isinstance(value, str) else ""


def _small_text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_SETTINGS_BYTES:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
