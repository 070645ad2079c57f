"""Settings that a loaded model refuses leave it as it was, in the real worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import UserError
from engine.planning.client import BlockingPlanner
from engine.planning.protocol import Ask
from engine.settings import EngineSettings, GenerationSettings, validated
from engine.worker.protocol import Delta, Prompt, Turn
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    from collections.abc import Callable
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


@pytest.mark.model
def test_what_goes_beside_a_model_is_looked_at_before_it_is_let_go(
    demo_model: Path, zoo: Callable[[str], Path]
) -> None:
    settings = EngineSettings(model_path=str(demo_model), n_ctx=256, devices=("cpu",))
    other, recurrent = str(zoo("qwen3-dense")), str(zoo("mamba-dense"))
    refused: dict[str, dict[str, object]] = {
        "engine.draft_vocabulary": {"draft_model": other},
        "engine.draft_no_use": {"draft_model": recurrent},
        "engine.device_not_found": {"draft_model": str(demo_model), "draft_devices": ("CUDA9",)},
        "models.not_a_projector": {"mmproj": str(demo_model)},
        "models.not_found": {"mmproj": "missing.gguf"},
    }
    with BlockingWorker() as worker, BlockingPlanner() as planner:
        worker.load(settings)
        for code, change in refused.items():
            wrong = validated(settings, **change)
            with pytest.raises(UserError) as raised:
                worker.load(wrong)
            assert raised.value.code == code
            plan = planner.plan(Ask(request_id=0, settings=wrong))
            assert (plan.verdict, plan.messages[0].code) == ("no", code)
        assert worker.count(("still there",))
        # Shares are of no account without devices.
        worker.load(validated(settings, tensor_split=tuple(range(20))))
