"""How a draft model is loaded; a load and a plan take it from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.devices import Device
    from engine.settings import EngineSettings


def draft_settings(settings: EngineSettings, large: Sequence[Device]) -> EngineSettings:
    """How a draft model is loaded: whole, on devices of its own, with the context of the large one.

    Args:
        settings: Of the large model, which name the draft.
        large: The devices of the large model; the draft goes to the first of them.
    """
    first = large[0].info.name if large else "cpu"
    return msgspec.structs.replace(
        settings,
        model_path=settings.draft_model,
        draft_model="",
        mmproj="",
        chat_template="",
        devices=settings.draft_devices or (first,),
        split_mode="layer",
        tensor_split=(),
        main_gpu=0,
        n_gpu_layers=-1,
        n_cpu_moe=0,
        type_k="f16",
        type_v="f16",
        # Guesses are taken back all the time, also past the edge of a window.
        swa_full=True,
        rope_scaling="model",
        rope_freq_base=0.0,
        rope_freq_scale=0.0,
    )
