"""Settings that a loaded model refuses leave it as it was, in the real worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import UserError
from engine.settings import EngineSettings, GenerationSettings, validated
from engine.worker.protocol import Delta, Prompt, Turn
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.model
def test_a_refused_change_keeps_the_model(demo_model: Path) -> None:
    text = ""

    def note(event: object) -> None:
        nonlocal text
        if isinstance(event, Delta):
            text += event.text

    settings = EngineSettings(model_path=str(demo_model), n_ctx=1024)
    prompt = Prompt(chat_id="c", turns=(Turn(role="user", text="What is the capital of France?"),))
    with BlockingWorker() as worker:
        worker.load(settings)
        with pytest.raises(UserError) as refused:
            worker.load(validated(settings, type_v="q8_0", flash_attn="off"))
        assert refused.value.code == "rules.v_needs_flash"
        worker.generate(prompt, GenerationSettings(temperature=0.0, max_tokens=8), note)
    assert "Paris" in text
