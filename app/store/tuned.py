"""Keeps measured sizes and thread counts for a model, from the window and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from app.store.settings_file import Profile, SettingsFile, model_key
from engine.bench.tune import with_values
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def keep_tuned(settings: SettingsFile, path: Path, best: Mapping[str, int]) -> None:
    """Write the best values into the settings with which the window loads this model.

    Args:
        settings: Where they are kept.
        path: The model's file.
        best: Values by setting, as `engine.bench.tune.Tuning.best`.

    Raises:
        OSError: The file is gone.
    """
    key = model_key(path)
    profile = settings.profile(key)
    is_last_used = settings.engine.model_path == str(path)
    if profile is None:
        # Another model's context and split say nothing about this one.
        engine = settings.engine if is_last_used else EngineSettings()
        profile = Profile(engine=engine, generation=settings.generation)
    engine = msgspec.structs.replace(with_values(profile.engine, best), model_path=str(path))
    settings.set_profile(key, msgspec.structs.replace(profile, engine=engine))
    if is_last_used:
        settings.set_engine(with_values(settings.engine, best))
