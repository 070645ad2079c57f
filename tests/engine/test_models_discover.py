"""Models found in folders laid out as other apps lay them out."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from engine.models.discover import FoundModel, discover
from engine.models.places import Place, places
from tests.engine.test_models_gguf_file import gguf_bytes, pair, text

if TYPE_CHECKING:
    from pathlib import Path

    from engine.models.places import SourceKind

_MODEL = gguf_bytes(pair("general.architecture", 8, text("llama")))
_PROJECTOR = gguf_bytes(pair("general.architecture", 8, text("clip")))
_PART = gguf_bytes(pair("split.no", 2, b"\x01\x00"))


def put(path: Path, content: bytes = _MODEL) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found_in(folder: Path, kind: SourceKind = "folder") -> dict[str, FoundModel]:
    models = [model for some in discover([Place(kind, folder)]) for model in some]
    named = {model.name: model for model in models}
    assert len(named) == len(models)
    return named


def blob(folder: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    put(folder / "blobs" / f"sha256-{digest}", content)
    return f"sha256:{digest}"


def manifest(folder: Path, place: str, *layers: tuple[str, str]) -> None:
    stored = [{"mediaType": kind, "digest": digest, "size": 1} for kind, digest in layers]
    put(folder / "manifests" / place, json.dumps({"schemaVersion": 2, "layers": stored}).encode())


class TestFolders:
    """Plain folders, and what may lie in them."""

    def test_a_split_model_is_one_also_when_a_part_is_missing(self, tmp_path: Path) -> None:
        first = put(tmp_path / "big-00001-of-00002.gguf")
        put(tmp_path / "big-00002-of-00002.gguf", _PART)
        put(tmp_path / "half-00001-of-00003.gguf")
        models = found_in(tmp_path)
        assert models["big"].path == first
        assert models["big"].parts == 2
        assert models["big"].size_bytes == len(_MODEL) + len(_PART)
        assert models["half"].parts == 3

    def test_a_projector_stands_beside_its_models(self, tmp_path: Path) -> None:
        put(tmp_path / "vision" / "model-Q4_K_M.gguf")
        by_name = put(tmp_path / "vision" / "mmproj-model-f16.gguf")
        by_content = put(tmp_path / "vision" / "eyes.gguf", _PROJECTOR)
        put(tmp_path / "other" / "text.gguf")
        models = found_in(tmp_path)
        assert set(models) == {"model-Q4_K_M", "text"}
        assert set(models["model-Q4_K_M"].projectors) == {by_name, by_content}
        assert models["text"].projectors == ()

    def test_what_is_no_model_is_left_out(self, tmp_path: Path) -> None:
        put(tmp_path / "real.gguf")
        put(tmp_path / "page.gguf", b"<!doctype html>")
        put(tmp_path / "empty.gguf", b"")
        put(tmp_path / "notes.txt", _MODEL)
        put(tmp_path / ".hidden" / "trash.gguf")
        put(tmp_path / "download.gguf.part")
        os.mkfifo(tmp_path / "pipe.gguf")
        (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
        (tmp_path / "folder.gguf").mkdir()
        assert set(found_in(tmp_path)) == {"real"}

    def test_links_in_a_circle_end(self, tmp_path: Path) -> None:
        put(tmp_path / "a" / "model.gguf")
        (tmp_path / "a" / "up").symlink_to(tmp_path)
        (tmp_path / "b").symlink_to(tmp_path / "a")
        (tmp_path / "self").symlink_to(tmp_path / "self")
        assert set(found_in(tmp_path)) == {"model"}

    def test_a_file_reached_twice_is_listed_once(self, tmp_path: Path) -> None:
        put(tmp_path / "one" / "model.gguf")
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "again.gguf").symlink_to(tmp_path / "one" / "model.gguf")
        looked_at = [Place("folder", tmp_path), Place("lmstudio", tmp_path / "one")]
        models = [model.name for some in discover(looked_at) for model in some]
        assert models == ["model"]

    def test_a_folder_that_is_gone_is_no_error(self, tmp_path: Path) -> None:
        assert found_in(tmp_path / "nothing") == {}


class TestOtherApps:
    """Layouts of the apps whose folders are looked through."""

    def test_lm_studio(self, tmp_path: Path) -> None:
        put(tmp_path / "bartowski" / "Qwen3-8B-GGUF" / "Qwen3-8B-Q4_K_M.gguf")
        models = found_in(tmp_path, "lmstudio")
        assert models["Qwen3-8B-Q4_K_M"].publisher == "bartowski/Qwen3-8B-GGUF"
        assert models["Qwen3-8B-Q4_K_M"].source == "lmstudio"

    def test_hugging_face_with_two_revisions_of_one_file(self, tmp_path: Path) -> None:
        repository = tmp_path / "models--ggml-org--gemma-3-270m-GGUF"
        stored = put(repository / "blobs" / "abc123")
        for revision in ("1111", "2222"):
            link = repository / "snapshots" / revision / "gemma-3-270m-Q8_0.gguf"
            link.parent.mkdir(parents=True)
            link.symlink_to(stored)
        models = found_in(tmp_path, "huggingface")
        assert set(models) == {"gemma-3-270m-Q8_0"}
        assert models["gemma-3-270m-Q8_0"].publisher == "ggml-org/gemma-3-270m-GGUF"
        assert models["gemma-3-270m-Q8_0"].path.suffix == ".gguf"

    def test_ollama(self, tmp_path: Path) -> None:
        model, other = blob(tmp_path, _MODEL), blob(tmp_path, _MODEL + b"\0")
        eyes = blob(tmp_path, _PROJECTOR)
        kind = "application/vnd.ollama.image."
        manifest(
            tmp_path,
            "registry.ollama.ai/library/gemma3/4b",
            (kind + "model", model),
            (kind + "projector", eyes),
            (kind + "template", "sha256:" + "0" * 64),
        )
        manifest(tmp_path, "registry.ollama.ai/someone/tuned/latest", (kind + "model", other))
        manifest(tmp_path, "hf.co/org/repo/Q4_0", (kind + "model", model))
        models = found_in(tmp_path, "ollama")
        assert set(models) == {"gemma3:4b", "someone/tuned:latest"}
        assert len(models["gemma3:4b"].projectors) == 1
        assert models["someone/tuned:latest"].projectors == ()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b'{"layers": 5}',
            b'{"layers": [{"digest": 1}]}',
            b'{"layers": [{"mediaType": "application/vnd.ollama.image.model",'
            b' "digest": "sha256:../../../../etc/passwd"}]}',
        ],
    )
    def test_a_bad_manifest_of_ollama_is_left_out(self, tmp_path: Path, content: bytes) -> None:
        put(tmp_path / "manifests" / "registry.ollama.ai" / "library" / "x" / "latest", content)
        assert found_in(tmp_path, "ollama") == {}


class TestPlaces:
    """Where the folders are."""

    def test_of_other_apps_where_they_usually_are(self, tmp_path: Path) -> None:
        usual = {
            "lmstudio": ".lmstudio/models",
            "ollama": ".ollama/models",
            "huggingface": ".cache/huggingface/hub",
        }
        for folder in usual.values():
            (tmp_path / folder).mkdir(parents=True)
        looked_at = {place.kind: place.folder for place in places(home=tmp_path, environment={})}
        assert looked_at == {kind: tmp_path / folder for kind, folder in usual.items()}

    def test_moved_by_variables_and_settings(self, tmp_path: Path) -> None:
        names = ("own", "lm", "ollama", "hub", "cache")
        own, lm, ollama, hub, cache = (tmp_path / name for name in names)
        for folder in (own, lm, ollama, hub, cache):
            folder.mkdir()
        put(
            tmp_path / ".lmstudio" / "settings.json",
            json.dumps({"downloadsFolder": str(lm)}).encode(),
        )
        variables = {
            "OLLAMA_MODELS": str(ollama),
            "HF_HUB_CACHE": str(hub),
            "LLAMA_CACHE": str(cache),
        }
        looked_at = places([own, tmp_path / "nothing"], home=tmp_path, environment=variables)
        assert looked_at == (
            Place("folder", own),
            Place("lmstudio", lm),
            Place("ollama", ollama),
            Place("huggingface", hub),
            Place("llama.cpp", cache),
        )

    @pytest.mark.parametrize("content", [b"", b"[", b"[]", b'{"downloadsFolder": 5}', b"\xff"])
    def test_settings_of_another_app_that_cannot_be_read(
        self, tmp_path: Path, content: bytes
    ) -> None:
        put(tmp_path / ".lmstudio" / "settings.json", content)
        assert places(home=tmp_path, environment={}) == ()


def test_a_cancelled_search_finds_nothing_more(tmp_path: Path) -> None:
    for number in range(50):
        put(tmp_path / str(number) / f"{number}.gguf")
    cancelled = threading.Event()
    found: list[str] = []
    for models in discover([Place("folder", tmp_path)], cancelled=cancelled):
        found.extend(model.name for model in models)
        cancelled.set()
    assert len(found) == 1
