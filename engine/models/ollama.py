"""Ollama's store: manifests that name blobs. Blobs have no names of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODEL = "application/vnd.ollama.image.model"
_PROJECTOR = "application/vnd.ollama.image.projector"
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MAX_MANIFEST_BYTES = 1024**2
_USUAL_HOST = "registry.ollama.ai"
_USUAL_NAMESPACE = "library"
# host / namespace / model / tag
_DEPTH = 4


class OllamaModel(msgspec.Struct, frozen=True):
    """A model of Ollama's: ``name:tag``, its weights, and its projectors."""

    name: str
    weights: Path
    projectors: tuple[Path, ...] = ()


class _Layer(msgspec.Struct):
    media_type: str = msgspec.field(name="mediaType", default="")
    digest: str = ""


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


def ollama_models(folder: Path) -> Iterator[OllamaModel]:
    """The models of a store whose weights are there. What cannot be read is left out."""
    root = folder / "manifests"
    pattern = "/".join("*" * _DEPTH)
    # Of several names for the same weights the first is listed: rather the one people know.
    for path in sorted(root.glob(pattern), key=lambda path: (_USUAL_HOST not in path.parts, path)):
        manifest = _read(path)
        if manifest is None:
            continue
        weights = [_blob(folder, layer) for layer in manifest.layers if layer.media_type == _MODEL]
        projectors = [
            _blob(folder, layer) for layer in manifest.layers if layer.media_type == _PROJECTOR
        ]
        found = [blob for blob in weights if blob is not None]
        if found:
            yield OllamaModel(
                _name(path.relative_to(root)),
                found[0],
                tuple(blob for blob in projectors if blob is not None),
            )


def _read(path: Path) -> _Manifest | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_MANIFEST_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _blob(folder: Path, layer: _Layer) -> Path | None:
    # Only a digest may become a path: a manifest is no place to point elsewhere from.
    found = _DIGEST.fullmatch(layer.digest)
    if found is None:
        return None
    blob = folder / "blobs" / f"sha256-{found[1]}"
    return blob if blob.is_file() else None


def _name(place: Path) -> str:
    host, namespace, model, tag = place.parts
    lead = "" if host == _USUAL_HOST else f"{host}/"
    lead += "" if namespace == _USUAL_NAMESPACE and not lead else f"{namespace}/"
    return f"{lead}{model}:{tag}"
