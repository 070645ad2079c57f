"""The engine and the command line run where Qt is not installed."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]

# `None` in sys.modules makes every import of that name fail, as if it were not installed.
_WITHOUT_QT = """
import importlib, runpy, sys
for name in ("PySide6", "shiboken6", "pyqtgraph"):
    sys.modules[name] = None
"""


def _modules(package: str) -> list[str]:
    found = pkgutil.walk_packages([str(_ROOT / Path(*package.split(".")))], f"{package}.")
    return [package, *sorted(module.name for module in found)]


def _run_without_qt(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT_QT + code, *arguments],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("package", ["engine", "app.cli"])
def test_every_module_imports_without_qt(package: str) -> None:
    names = [name for name in _modules(package) if not name.endswith("__main__")]
    done = _run_without_qt("for name in sys.argv[1:]: importlib.import_module(name)", *names)
    assert done.returncode == 0, done.stderr
    assert len(names) > 1


def test_the_command_line_answers_without_qt() -> None:
    code = "sys.argv[0] = 'leadline'; runpy.run_module('app.cli', run_name='__main__')"
    done = _run_without_qt(code, "--help")
    assert done.returncode == 0, done.stderr
    assert "ask" in done.stdout


def test_qt_is_really_blocked() -> None:
    done = _run_without_qt("import PySide6.QtCore")
    assert done.returncode != 0
    assert "PySide6" in done.stderr
