"""Prompts are read in slices as large as speed asks for, and devices in turn do not pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.llama.engine import Engine
from engine.llama.prefill import SliceControl
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, PrefillProgress, Prompt, Turn

if TYPE_CHECKING:
    from pathlib import Path

    from engine.worker.protocol import ReplyEvent

_CALM = GenerationSettings(temperature=0.0, max_tokens=8)
_QUESTION = "Here is a list of words: " + "anchor bow cleat deck " * 60 + "Which comes first?"


def _settled(slices: SliceControl, tokens_per_second: float) -> int:
    """The size that slices come to on a device of this speed."""
    for _ in range(20):
        slices.note(slices.tokens, slices.tokens / tokens_per_second)
    return slices.tokens


@pytest.mark.parametrize(
    ("tokens_per_second", "tokens"),
    [(50_000, 2048), (5_000, 512), (1_500, 512), (520, 512), (500, 480), (40, 32), (1, 32)],
)
def test_a_gpu_reads_whole_micro_batches_unless_one_takes_a_second(
    tokens_per_second: float, tokens: int
) -> None:
    assert _settled(SliceControl(2048, 512, on_cpu=False), tokens_per_second) == tokens


@pytest.mark.parametrize(
    ("tokens_per_second", "tokens"), [(5_000, 2048), (600, 512), (300, 512), (200, 384), (20, 128)]
)
def test_a_cpu_reads_whole_micro_batches_unless_one_takes_two_seconds(
    tokens_per_second: float, tokens: int
) -> None:
    assert _settled(SliceControl(2048, 512, on_cpu=True), tokens_per_second) == tokens


def _read(engine: Engine) -> tuple[str, list[PrefillProgress]]:
    """A reply, and what was told of reading its prompt."""
    told: list[ReplyEvent] = []
    prompt = Prompt(chat_id="c", turns=(Turn(role="user", text=_QUESTION),))
    engine.generate(prompt, _CALM, emit=told.append, request_id=1)
    text = "".join(event.text for event in told if isinstance(event, Delta))
    return text, [event for event in told if isinstance(event, PrefillProgress)]


@pytest.mark.model
def test_slices_that_nobody_waits_for_give_the_same_reply(demo_model: Path) -> None:
    settings = EngineSettings(
        model_path=str(demo_model),
        n_ctx=512,
        n_batch=64,
        n_ubatch=32,
        n_threads=1,
        n_threads_batch=1,
        devices=("cpu",),
    )
    replies = []
    for is_pipelined in (False, True):
        engine = Engine()
        engine.load(settings, progress=lambda *_: True)
        loaded = engine._loaded
        assert loaded is not None
        # The devices of this machine do not take turns.
        assert not loaded.context.is_pipelined
        loaded.context.is_pipelined = is_pipelined
        text, progress = _read(engine)
        replies.append(text)
        assert progress[-1].done == progress[-1].total > 4 * 64
        assert loaded.pace.tokens_per_second()
        engine.close()
    assert replies[0] == replies[1] != ""
