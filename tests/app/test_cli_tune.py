"""`leadline bench --tune`: every candidate is timed, the best is named, and kept on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.store.filelock import FileLock
from app.store.settings_file import SettingsFile, model_key
from engine.bench.contest import Contest, best_value
from engine.bench.tune import with_value, with_values
from engine.errors import Problem
from engine.llama.threads import default_threads
from engine.paths import data_dir
from engine.settings import EngineSettings
from tests.engine.blank_model import write_blank_model

_ROOT = Path(__file__).resolve().parents[2]


def test_the_smallest_that_is_nearly_as_fast_is_the_best() -> None:
    assert best_value({64: 90.0, 128: 98.0, 256: 100.0, 512: 99.0}) == 128
    assert best_value({64: 10.0, 512: 100.0}) == 512
    assert best_value({1: 50.0}) == 1


STEADY = {64: (100.0, 101.0, 100.0), 512: (99.0, 100.0, 100.0)}
MIB = 1 << 20


@pytest.mark.parametrize(
    ("samples", "compute_mib", "best", "is_indistinct"),
    [
        # Faster by more than the rounds differ.
        ({64: (120.0, 121.0, 119.0), 512: (100.0, 101.0, 99.0)}, {}, 64, False),
        # The same median gain, but the rounds differ by more than that.
        ({64: (120.0, 90.0, 150.0), 512: (100.0, 80.0, 125.0)}, {}, 512, True),
        # A single round says little about a tenth.
        ({64: (109.0,), 512: (100.0,)}, {}, 512, True),
        ({64: (150.0,), 512: (100.0,)}, {}, 64, False),
        # As fast: only where that saves memory.
        (STEADY, {}, 512, True),
        (STEADY, {512: 300}, 64, False),
        ({64: (100.0, 80.0, 120.0), 512: (100.0, 80.0, 120.0)}, {512: 300}, 512, True),
        ({64: (50.0, 51.0, 50.0), 512: (99.0, 100.0, 100.0)}, {512: 300}, 512, False),
        ({64: (100.0,) * 3, 256: (120.0,) * 3}, {}, 256, False),
    ],
)
def test_a_value_goes_only_for_one_that_is_better_beyond_the_noise(
    samples: dict[int, tuple[float, ...]],
    compute_mib: dict[int, int],
    best: int,
    is_indistinct: bool,
) -> None:
    contest = Contest("n_ubatch", sorted(samples), reads=True)
    for value, speeds in samples.items():
        for speed in speeds:
            contest.note(value, speed, compute_mib.get(value, 0) * MIB)
    assert contest.decide(512) == best
    assert contest.is_indistinct is is_indistinct
    assert [row.value for row in contest.rows() if row.is_best] == [best]


def test_without_a_figure_nothing_is_best() -> None:
    contest = Contest("n_threads", [1, 2], reads=False)
    contest.refused = {1: Problem(code="worker.killed"), 2: Problem(code="worker.killed")}
    assert contest.decide(2) is None
    assert not any(row.is_best for row in contest.rows())


def test_a_batch_holds_its_micro_batch() -> None:
    settings = EngineSettings(n_batch=512)
    assert with_value(settings, "n_ubatch", 1024).n_batch == 1024
    assert with_value(settings, "n_ubatch", 256).n_batch == 512
    assert with_value(settings, "n_threads", 3).n_threads == 3
    both = with_values(settings, {"n_ubatch": 1024, "n_threads": 3})
    assert (both.n_ubatch, both.n_batch, both.n_threads) == (1024, 1024, 3)


@pytest.mark.model
def test_the_best_values_are_told_and_kept(tmp_path: Path) -> None:
    model = write_blank_model(tmp_path / "blank.gguf")
    done = _tune(model, "--json", "--save")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rows = report["tried"]
    by_setting: dict[str, list[dict[str, Any]]] = {row["setting"]: [] for row in rows}
    for row in rows:
        by_setting[row["setting"]].append(row)
    assert list(by_setting) == ["n_ubatch", "n_threads_batch", "n_threads"]
    for tried in by_setting.values():
        assert sum(row["is_best"] for row in tried) == 1
        assert all(row["tokens_per_second"] > 0 for row in tried)
    sizes = by_setting["n_ubatch"]
    assert [row["value"] for row in sizes] == [64, 128, 256, 512]
    assert sizes[0]["compute_bytes"] < sizes[-1]["compute_bytes"]
    assert report["saved"]
    profile = SettingsFile().profile(model_key(model))
    assert profile is not None
    assert profile.engine.n_ubatch == report["best"]["n_ubatch"]
    # What "auto" comes to is left open.
    assert (profile.engine.n_threads or default_threads().count) == report["best"]["n_threads"]
    assert profile.engine.model_path == str(model)

    lock = FileLock(data_dir() / "chats.sqlite3.lock")
    try:
        refused = _tune(model, "--save", "--n-threads", "7")
    finally:
        lock.release()
    assert refused.returncode != 0
    assert "[" not in refused.stderr.splitlines()[-1]


def _tune(model: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "bench", str(model), "--tune", "--repetitions", "1"]
    return subprocess.run(
        [*command, *options],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
