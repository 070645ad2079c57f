"""Cautious settings: what is most likely to work after a crash."""

from __future__ import annotations

import msgspec

from engine.settings.engine_settings import EngineSettings

SAFE_N_CTX = 4096


def safe_settings(settings: EngineSettings) -> EngineSettings:
    """The same model on the CPU alone, with a short context and nothing unusual."""
    n_ctx = min(settings.n_ctx or SAFE_N_CTX, SAFE_N_CTX)
    return msgspec.structs.replace(
        EngineSettings(),
        model_path=settings.model_path,
        chat_template=settings.chat_template,
        devices=("cpu",),
        split_mode="none",
        n_gpu_layers=0,
        n_ctx=n_ctx,
    )
