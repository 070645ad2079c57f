"""Choosing a backend and reading the installed one, with real programs on a real path."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from engine.build import (
    COMMON_SETTINGS,
    Backend,
    build_settings,
    change_command,
    choose,
    installed_build,
    uv_arguments,
)

_ROOT = Path(__file__).resolve().parents[2]


def _put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: int) -> None:
    """Let `folder` be the whole path, holding programs that exit with the given status."""
    for name, status in programs.items():
        script = folder / name.replace("_", "-")
        script.write_text(f"#!/bin/sh\nexit {status}\n", encoding="utf-8")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ({}, Backend.CPU),
        ({"nvidia_smi": 0}, Backend.CPU),
        ({"nvcc": 0}, Backend.CPU),
        ({"nvidia_smi": 9, "nvcc": 0}, Backend.CPU),
        ({"nvidia_smi": 0, "nvcc": 0}, Backend.CUDA),
    ],
)
def test_auto_takes_cuda_only_where_driver_and_compiler_answer(
    programs: dict[str, int],
    expected: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put_on_path(tmp_path, monkeypatch, **programs)
    choice = choose("auto", platform="linux")
    assert choice.backend is expected
    assert choice.reason


def test_auto_takes_metal_on_macos() -> None:
    assert choose(platform="darwin").backend is Backend.METAL


def test_a_named_backend_is_taken_unasked() -> None:
    assert choose("vulkan").backend is Backend.VULKAN


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="opencl"):
        choose("opencl")


@pytest.mark.parametrize("backend", list(Backend))
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_every_backend_is_built_with_settings_of_its_own(backend: Backend, platform: str) -> None:
    others = [uv_arguments(other, platform=platform) for other in Backend if other is not backend]
    assert uv_arguments(backend, platform=platform) not in others


def test_the_cpu_build_is_what_uv_makes_without_arguments() -> None:
    assert build_settings(Backend.CPU, platform="linux") == {}
    assert build_settings(Backend.CPU, platform="darwin") == {"GGML_METAL": "OFF"}


def test_uv_alone_builds_what_make_builds() -> None:
    declared = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = declared["tool"]["uv"]["pip"]["config-settings-package"]["llama-cpp-python"]
    assert settings == {f"cmake.define.{name}": value for name, value in COMMON_SETTINGS.items()}


def test_the_command_to_change_names_the_backend() -> None:
    assert change_command(Backend.CUDA, platform="linux") == "make setup BACKEND=cuda"
    assert "GGML_VULKAN=ON" in change_command(Backend.VULKAN, platform="win32")


def test_the_installed_build_is_read_off_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libggml-base.so.0", "libggml-cpu.so.0", "libggml-cuda.so", "libllama.so"):
        (tmp_path / name).touch()
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    build = installed_build()
    assert build is not None
    assert (build.backend, build.has_rpc) == (Backend.CUDA, False)
    (tmp_path / "ggml-rpc.dll").touch()
    build = installed_build()
    assert build is not None
    assert build.has_rpc


def test_no_build_is_told_from_a_cpu_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path / "absent"))
    assert installed_build() is None


def test_this_environment_was_built_with_rpc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMA_CPP_LIB_PATH", raising=False)
    build = installed_build()
    assert build is not None
    assert build.has_rpc
