"""The stand-in for a model that is only measured: small, quick, and told apart from nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun
from engine.llama.skeleton import skeleton_of
from engine.models.demo import demo_model_path
from engine.planning.header import read_header
from engine.settings import EngineSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kept in a memory file of Linux")


def test_it_has_the_header_without_the_words() -> None:
    skeleton = skeleton_of(demo_model_path())
    assert skeleton is not None
    try:
        path = Path(skeleton.path)
        whole, small = read_header(demo_model_path()), read_header(path)
        assert small.tensors == whole.tensors
        same = {"path": "", "file_bytes": 0}
        assert msgspec.structs.replace(small.facts, **same) == msgspec.structs.replace(
            whole.facts, **same
        )
        # A hole takes no room: what is held is the header, not the 98 MB of weights.
        assert path.stat().st_blocks * 512 < 1_000_000
        # The words and their merges are what is missing.
        missing = demo_model_path().stat().st_size - path.stat().st_size
        assert 500_000 < missing < 5_000_000
    finally:
        skeleton.close()
    assert not Path(skeleton.path).exists()


def test_plans_are_the_same_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EngineSettings(model_path=str(demo_model_path()), devices=("cpu",), n_ctx=4096)
    runs = []
    for stands_in in (True, False):
        if not stands_in:
            monkeypatch.setattr("engine.llama.dry_run.skeleton_of", lambda _path: None)
        run = DryRun(settings.model_path, Devices())
        runs.append(run.measure(settings))
        run.close()
    assert runs[0] == runs[1]


def test_a_file_that_is_no_model_has_none(tmp_path: Path) -> None:
    path = tmp_path / "no.gguf"
    path.write_bytes(b"GGUF and nothing more")
    assert skeleton_of(path) is None
