"""`leadline bench` as a user runs it, and what it may import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.blank_model import write_blank_model

_ROOT = Path(__file__).resolve().parents[2]

# A server with a GPU has these rarely; `None` makes every import of the name fail.
_BLOCKED = """
import importlib, sys
for name in ("PySide6", "shiboken6", "pyqtgraph", "charset_normalizer", "pypdfium2", "lxml",
             "pynvml", "docx", "pptx", "openpyxl", "markdown_it", "pygments", "ziamath"):
    sys.modules[name] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def _python(*arguments: str, first: Path = _ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(first), str(_ROOT)))},
        capture_output=True,
        text=True,
        timeout=200,
    )


def _bench(*arguments: str, first: Path = _ROOT) -> subprocess.CompletedProcess[str]:
    return _python("-m", "app.cli", "bench", *arguments, first=first)


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_blank_model(tmp_path_factory.mktemp("cli-bench") / "blank.gguf"))


@pytest.mark.parametrize("command", ["bench", "plan", "devices"])
def test_a_command_imports_nothing_that_only_the_window_needs(command: str) -> None:
    modules = [f"app.cli.{command}", "engine.worker.process", "engine.planning.process"]
    done = _python("-c", _BLOCKED, *modules)
    assert done.returncode == 0, done.stderr


@pytest.mark.model
def test_figures_as_json(blank: str) -> None:
    done = _bench(
        *(blank, "--pp", "16", "--tg", "4", "--depth", "0,32", "--repetitions", "3"),
        *("--raw", "--type-k", "q8_0", "--type-v", "q8_0", "--n-threads", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    runs = report["runs"]
    assert [(run["test"], run["depth"], run["mode"]) for run in runs] == [
        (test, depth, mode) for depth in (0, 32) for test in ("pp", "tg") for mode in _MODES
    ]
    assert all(run["tokens_per_second"] > 0 and len(run["samples"]) == 3 for run in runs)
    assert set(report["ratios"]["product/raw"]) == {"pp16", "tg4", "pp16 @ d32", "tg4 @ d32"}
    assert report["context"]["type_k"] == "q8_0"
    assert report["device"]
    assert report["build"]["llama_cpp_python"]
    assert "pp16" in done.stderr


_MODES = ("product", "raw")


@pytest.mark.model
def test_figures_as_a_table(blank: str) -> None:
    done = _bench(blank, "--pp", "0", "--tg", "4", "--repetitions", "1", "--raw")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("tg4")]
    assert [row[1] for row in rows] == ["product", "raw"]
    assert float(rows[1][-1]) > 0


@pytest.mark.model
@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (
            "raise ImportError('libcuda.so.1: cannot open shared object file')",
            "bench.peer_failed",
            "libcuda.so.1: cannot open shared object file",
        ),
        (
            "import os; os.write(2, b'/src/ggml.c:7: GGML_ASSERT(n > 0) failed\\n'); os.abort()",
            "bench.peer_died",
            "llama.cpp gave up: GGML_ASSERT(n > 0) failed (ggml.c:7)",
        ),
        ("import os; os._exit(3)", "bench.peer_died", "it ended with status 3"),
    ],
)
def test_a_peer_that_cannot_start_leaves_the_others_their_figures(
    blank: str, tmp_path: Path, content: str, code: str, reason: str
) -> None:
    (tmp_path / "xllamacpp.py").write_text(content)
    asked = (blank, "--pp", "8", "--tg", "4", "--repetitions", "1", "--n-threads", "1")
    done = _bench(*asked, "--raw", "--vs", "server", "--json", first=tmp_path)
    report = json.loads(done.stdout)
    assert [run["mode"] for run in report["runs"]] == ["product", "raw"] * 2
    (missing,) = report["missing"]
    named = {name: missing[name] for name in ("mode", "test", "reason", "code")}
    assert named == {"mode": "server", "test": "pp8", "reason": reason, "code": code}
    assert reason in done.stderr
    assert "--vs server" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--pp", "many"), "bench.bad_numbers"),
        (("--depth", "-4"), "bench.bad_numbers"),
        (("--pp", "0", "--tg", "0"), "bench.nothing"),
        (("--chains", "fastest"), "bench.no_chain"),
        (("--save",), "bench.nothing_to_save"),
        (("--type-k", "q9"), "settings.invalid"),
    ],
)
def test_what_cannot_be_measured_is_said(arguments: tuple[str, ...], code: str) -> None:
    done = _bench("demo", "--json", *arguments)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == code


def test_a_missing_model_is_a_sentence() -> None:
    done = _bench("/nowhere/model.gguf")
    assert done.returncode == 1
    assert "no file at /nowhere/model.gguf" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.model
def test_a_context_too_short_for_the_depth_is_refused(blank: str) -> None:
    done = _bench(blank, "--depth", "2048", "--n-ctx", "1024", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "engine.bench_too_long"
