"""Plans match live contexts to the byte, for every architecture of the zoo and shared KV layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.tiny_gemma import tiny_gemma3n, tiny_gemma4

_ROOT = Path(__file__).parents[2]


def _compared(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "exactness.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )
    result: dict[str, object] = json.loads(done.stdout or b"{}")
    return result


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    folder = tmp_path / "extra"
    folder.mkdir()
    tiny_gemma4(folder / "gemma4-shared.gguf")
    tiny_gemma3n(folder / "gemma3n-shared.gguf")
    return folder


@pytest.mark.model
def test_plans_on_the_cpu_are_exact(extra: Path) -> None:
    result = _compared("--extra", str(extra))
    assert result["odd"] == []
    assert isinstance(result["compared"], int)
    assert result["compared"] > 300


@pytest.mark.model
def test_plans_on_two_devices_are_exact(extra: Path) -> None:
    result = _compared("--devices", "--extra", str(extra))
    assert result["odd"] == []
    assert isinstance(result["compared"], int)
    assert result["compared"] > 100
