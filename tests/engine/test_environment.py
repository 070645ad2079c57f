"""Setting up: when there is work to do, which uv is used, which system packages are missing."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from engine import environment, system
from engine.environment import Stamp, find_uv, inputs_hash, read_stamp, wanted_stamp

_ROOT = Path(environment.__file__).resolve().parent.parent


def _write_uv(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'uv {version}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_named_backend_is_kept_until_another_is_named() -> None:
    made = Stamp("run", "vulkan", "old")
    assert wanted_stamp("run", None, made, "new") == Stamp("run", "vulkan", "new")
    assert wanted_stamp("run", "cpu", made, "new") == Stamp("run", "cpu", "new")


def test_running_does_not_take_the_test_tools_away() -> None:
    made = Stamp("test", "cpu", "same")
    assert wanted_stamp("run", None, made, "same") == made


def test_a_stamp_survives_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "stamp.json"
    stamp = Stamp("run", "cpu", "abc")
    path.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
    assert read_stamp(path) == stamp


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"level": "run"}'])
def test_an_unreadable_stamp_counts_as_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stamp.json"
    path.write_text(text, encoding="utf-8")
    assert read_stamp(path) is None
    assert read_stamp(tmp_path / "absent.json") is None


def test_inputs_change_with_a_lock(tmp_path: Path) -> None:
    for name in (*environment.LOCKS.values(), "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one", encoding="utf-8")
    before = inputs_hash(tmp_path)
    (tmp_path / environment.LOCKS["test"]).write_text("two", encoding="utf-8")
    assert inputs_hash(tmp_path) != before


def test_uv_on_the_path_goes_first_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = _write_uv(tmp_path / "bin" / "uv", "0.13.9")
    own = _write_uv(tmp_path / ".tools" / "uv" / "bin" / "uv", "0.13.9 (build)")
    monkeypatch.setenv("PATH", str(on_path.parent), prepend=":")
    assert find_uv(tmp_path) == on_path
    _write_uv(on_path, "0.4.1")
    assert find_uv(tmp_path) == own
    own.unlink()
    assert find_uv(tmp_path) is None


def test_libraries_not_found_become_packages() -> None:
    output = (
        "\tlibEGL.so.1 => not found\n"
        "\tlibxcb-cursor.so.0 => not found\n"
        "\tlibz.so.1 => /lib/libz.so.1 (0x0)\n"
        "\tlibstrange.so.3 => not found\n"
    )
    assert system.packages_for(output) == {"libegl1", "libxcb-cursor0", "libstrange.so.3"}


def test_offscreen_qt_finds_all_it_needs_here() -> None:
    pyside = pytest.importorskip("PySide6")
    assert system.missing_for_qt(Path(pyside.__file__).parent, has_display=False) == []


def test_fonts_are_found_in_subfolders(tmp_path: Path) -> None:
    assert not system.has_fonts([tmp_path, tmp_path / "absent"])
    (tmp_path / "truetype" / "dejavu").mkdir(parents=True)
    (tmp_path / "truetype" / "dejavu" / "DejaVuSans.TTF").touch()
    assert system.has_fonts([tmp_path])


@pytest.mark.skipif(sys.platform != "linux", reason="names Debian packages")
def test_a_compiler_named_in_cxx_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "")
    assert system.missing_compiler() == ["build-essential"]
    monkeypatch.setenv("CXX", "/opt/bin/clang++")
    assert system.missing_compiler() == []


@pytest.mark.parametrize("name", sorted(environment.LOCKS.values()))
def test_locks_name_hashes_and_no_addresses(name: str) -> None:
    text = (_ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--hash=sha256:" in text
    assert "\nllm==" not in text
    assert "\nllama-cpp-python==0.3.36 " in text
