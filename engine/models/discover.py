"""Finds model files in the folders of other apps and of the user, away from the main thread.

Split models are one entry, projectors (mmproj) stand beside the models they belong to, and a file
that can be reached in several ways is listed once.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.errors import UserError
from engine.models.gguf_file import peek_architecture
from engine.models.model_files import split_place
from engine.models.ollama import ollama_models
from engine.models.places import Place, SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_DEPTH = 8
_MAX_ENTRIES = 200_000
_HUB_PREFIX = "models--"

Identity = tuple[int, int]


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model on this computer.

    Attributes:
        path: The file, or the first part of a split model.
        name: For people: the file's name without its ending, or Ollama's ``name:tag``.
        publisher: Who it is from or which repository, where the folders tell; else empty.
        source: Whose folder it lies in.
        size_bytes: Of all parts that are there.
        parts: How many files it should have.
        projectors: Files beside it that give it eyes or ears.
    """

    path: Path
    name: str
    publisher: str
    source: SourceKind
    size_bytes: int
    parts: int = 1
    projectors: tuple[Path, ...] = ()


def discover(
    places: Iterable[Place], *, cancelled: threading.Event | None = None
) -> Iterator[tuple[FoundModel, ...]]:
    """The models in some places, a folder at a time. What cannot be read is left out."""
    stop = cancelled or threading.Event()
    listed: set[Identity] = set()
    for place in places:
        found = _in_ollama(place) if place.kind == "ollama" else _in_folders(place, stop)
        for models in found:
            if stop.is_set():
                return
            new = tuple(model for model in models if _is_new(model.path, listed))
            if new:
                yield new


def _is_new(path: Path, listed: set[Identity]) -> bool:
    identity = _identity(path)
    if identity is None or identity in listed:
        return False
    listed.add(identity)
    return True


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _in_ollama(place: Place) -> Iterator[tuple[FoundModel, ...]]:
    for model in ollama_models(place.folder):
        try:
            size_bytes = model.weights.stat().st_size
            peek_architecture(model.weights)
        except (OSError, UserError):
            continue
        yield (
            FoundModel(
                path=model.weights,
                name=model.name,
                publisher="",
                source="ollama",
                size_bytes=size_bytes,
                projectors=model.projectors,
            ),
        )


def _in_folders(place: Place, stop: threading.Event) -> Iterator[tuple[FoundModel, ...]]:
    for folder, files in _walk(place.folder, stop):
        models = _grouped(place, folder, files)
        if models:
            yield models


def _walk(root: Path, stop: threading.Event) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder with its GGUF files, breadth first; a folder is entered once, however linked."""
    waiting = [(root, 0)]
    entered: set[Identity] = set()
    entries = 0
    while waiting and not stop.is_set():
        folder, depth = waiting.pop(0)
        identity = _identity(folder)
        if identity is None or identity in entered:
            continue
        entered.add(identity)
        files: list[Path] = []
        for entry in _entries(folder):
            entries += 1
            if stop.is_set() or entries > _MAX_ENTRIES:
                return
            kind = _kind_of(entry)
            if kind == "folder" and depth < _MAX_DEPTH and not entry.name.startswith("."):
                waiting.append((Path(entry.path), depth + 1))
            elif kind == "file" and entry.name.lower().endswith(".gguf"):
                files.append(Path(entry.path))
        yield folder, files


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _kind_of(entry: os.DirEntry[str]) -> str:
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else ""
    except OSError:
        return ""


def _grouped(place: Place, folder: Path, files: list[Path]) -> tuple[FoundModel, ...]:
    """The models among the files of one folder."""
    heads: dict[str, list[Path]] = {}
    projectors: list[Path] = []
    for path in files:
        split = split_place(path.name)
        key = path.name if split is None else f"{split[0]} of {split[2]}"
        heads.setdefault(key, []).append(path)
    models: list[list[Path]] = []
    for parts in heads.values():
        kind = _kind_of_model(parts[0])
        if kind == "projector":
            projectors += parts
        elif kind == "model":
            models.append(parts)
    publisher = _publisher(place, folder)
    found = (_model(place, publisher, parts, tuple(projectors)) for parts in models)
    return tuple(model for model in found if model is not None)


def _kind_of_model(path: Path) -> str:
    split = split_place(path.name)
    try:
        architecture = peek_architecture(path)
    except UserError:
        return ""
    if "mmproj" in path.name.lower() or architecture == "clip":
        return "projector"
    # Only the first part of a split model says what it is.
    return "model" if architecture or (split and split[1] > 1) else ""


def _model(
    place: Place, publisher: str, parts: list[Path], projectors: tuple[Path, ...]
) -> FoundModel | None:
    split = split_place(parts[0].name)
    count = split[2] if split else 1
    try:
        size_bytes = sum(part.stat().st_size for part in parts)
    except OSError:
        return None
    return FoundModel(
        path=parts[0],
        name=split[0] if split else parts[0].stem,
        publisher=publisher,
        source=place.kind,
        size_bytes=size_bytes,
        parts=count,
        projectors=projectors,
    )


def _publisher(place: Place, folder: Path) -> str:
    parts = folder.relative_to(place.folder).parts
    if place.kind == "huggingface":
        repository = next((part for part in parts if part.startswith(_HUB_PREFIX)), "")
        return repository.removeprefix(_HUB_PREFIX).replace("--", "/")
    return "/".join(parts[:2]) if place.kind == "lmstudio" else ""
