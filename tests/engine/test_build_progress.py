"""What is said while something is built for minutes, and when it fails."""

from __future__ import annotations

import os
import re
import sys

import pytest

from engine.build_progress import BuildProgress, run_build

_BUILD = """
import sys, time
print("[43/120] Building CXX object ggml.o", flush=True)
time.sleep(0.6)
print("ninja: build stopped", file=sys.stderr)
sys.exit({status})
"""


def _run(status: int) -> tuple[bool, list[str]]:
    said: list[str] = []
    command = [sys.executable, "-c", _BUILD.format(status=status)]
    is_built = run_build(command, what="It", env=os.environ, say=said.append, every_s=0.2)
    return is_built, said


def test_a_long_build_says_how_far_it_is() -> None:
    is_built, said = _run(0)
    assert is_built
    assert any(re.fullmatch(r"It: 36%, \d+ s", line) for line in said)
    assert all(line.startswith("It: ") for line in said)


def test_a_failed_build_says_its_last_lines() -> None:
    is_built, said = _run(3)
    assert not is_built
    assert said[-1].endswith("ninja: build stopped")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[ 43%] Building C object", "43%, 2 min 05 s"),
        ("  [43/120] Building", "36%, 2 min 05 s"),
        ("-- Configuring done [0/0]", "2 min 05 s"),
    ],
)
def test_the_build_tools_own_count_is_understood(line: str, words: str) -> None:
    progress = BuildProgress()
    progress.take(line)
    assert progress.words(125.0) == words
