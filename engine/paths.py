"""Where Leadline keeps its files. `LEADLINE_HOME` puts all of them under one folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APP = "leadline"


def _under_home(name: str) -> Path | None:
    home = os.environ.get("LEADLINE_HOME")
    return Path(home) / name if home else None


def data_dir() -> Path:
    """Chats, documents, learned corrections: what must not be lost."""
    return _made(_under_home("data") or platformdirs.user_data_path(_APP, appauthor=False))


def config_dir() -> Path:
    """Settings and profiles."""
    return _made(_under_home("config") or platformdirs.user_config_path(_APP, appauthor=False))


def cache_dir() -> Path:
    """What can be computed again: token counts, assembled models, built wheels."""
    return _made(_under_home("cache") or platformdirs.user_cache_path(_APP, appauthor=False))


def log_dir() -> Path:
    """Engine logs and crash reports."""
    return _made(_under_home("log") or platformdirs.user_log_path(_APP, appauthor=False))


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
