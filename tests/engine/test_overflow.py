"""What happens to a conversation that is longer than the context, policy by policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama.engine import Engine
from engine.llama.overflow import fit, reply_reserve, room_step
from engine.models.demo import demo_model_path
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Finished, Prompt, PromptDocument, Removed, Turn
from tests.engine.kv_reader import F16, BareModel, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.worker.protocol import ReplyEvent

pytestmark = pytest.mark.model

N_CTX = 256
SETTINGS = EngineSettings(
    model_path=str(demo_model_path()),
    n_ctx=N_CTX,
    n_threads=1,
    n_threads_batch=1,
    devices=("cpu",),
)
CALM = GenerationSettings(system_prompt="Be brief.", temperature=0.0, max_tokens=8, overflow="drop")
DOCUMENT = PromptDocument(id="d", name="lease", text="Clause 7: thirty days.\n" * 5)


@dataclass
class Asked:
    finished: Finished
    removed: list[Removed] = field(default_factory=list)
    text: str = ""


def ask(engine: Engine, prompt: Prompt, generation: GenerationSettings) -> Asked:
    events: list[ReplyEvent] = []
    finished = engine.generate(prompt, generation, emit=events.append, request_id=1)
    return Asked(
        finished,
        [event for event in events if isinstance(event, Removed)],
        "".join(event.text for event in events if isinstance(event, Delta)),
    )


def chat(exchanges: int, *, chat_id: str = "c") -> Prompt:
    turns = [
        turn
        for number in range(exchanges)
        for turn in (
            Turn(role="user", text=f"Colour of {number}?"),
            Turn(role="assistant", text="Green."),
        )
    ]
    turns.append(Turn(role="user", text="And what did I ask first?"))
    return Prompt(chat_id=chat_id, turns=tuple(turns), documents=(DOCUMENT,))


def loaded(settings: EngineSettings = SETTINGS) -> Engine:
    engine = Engine()
    engine.load(settings, progress=lambda *_: True)
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = loaded()
    yield engine
    engine.close()


def test_stop_refuses_and_says_by_how_much(engine: Engine) -> None:
    stop = replace(CALM, overflow="stop")
    measured = engine.measure(1, chat(30), stop)
    assert measured.left_out is None
    with pytest.raises(UserError) as raised:
        ask(engine, chat(30), stop)
    params = raised.value.problem.params
    assert raised.value.code == "engine.prompt_too_long"
    assert params["tokens"] == measured.prompt_tokens
    assert params["over"] == measured.prompt_tokens - N_CTX + 1


def test_drop_takes_whole_exchanges_and_keeps_what_is_pinned(engine: Engine) -> None:
    prompt = chat(30)
    whole = engine.measure(1, prompt, replace(CALM, overflow="stop"))
    measured = engine.measure(1, prompt, CALM)
    assert measured.left_out is not None
    assert measured.left_out.turns % 2 == 0
    assert measured.left_out.tokens == whole.prompt_tokens - measured.prompt_tokens
    pinned = [s for s in measured.segments if s.kind in ("system", "document", "message")]
    before = [s for s in whole.segments if s.kind in ("system", "document", "message")]
    assert [(s.kind, s.tokens) for s in pinned] == [(s.kind, s.tokens) for s in before]
    assert measured.prompt_tokens + reply_reserve(N_CTX, CALM.max_tokens) <= N_CTX

    asked = ask(engine, prompt, CALM)
    assert [each.left_out for each in asked.removed] == [measured.left_out]
    assert asked.finished.usage.prompt_tokens == measured.prompt_tokens
    rest = replace(prompt, turns=prompt.turns[measured.left_out.turns :])
    assert engine.measure(1, rest, CALM).left_out is None
    assert engine.measure(1, rest, CALM).prompt_tokens == measured.prompt_tokens


def test_no_more_goes_than_the_rule_says(engine: Engine) -> None:
    layout = engine._need().layout
    for exchanges in range(0, 40, 3):
        prompt = chat(exchanges)
        whole = layout.lay_out(prompt, CALM)
        fitted = fit(layout, prompt, CALM, N_CTX)
        over = len(whole.tokens) + reply_reserve(N_CTX, CALM.max_tokens) - N_CTX
        if over <= 0:
            assert fitted.left_out is None
            continue
        assert fitted.left_out is not None
        step = room_step(N_CTX, whole.turns[0])
        longest = max(np.diff(whole.turns[::2]))
        assert over <= fitted.left_out.tokens < over + step + longest


def test_follow_ups_find_the_same_beginning(engine: Engine) -> None:
    """The point of leaving out a little more than needed: what stays is in the KV cache."""
    fitted = [fit(engine._need().layout, chat(n), CALM, N_CTX) for n in range(14, 34)]
    begins = [each.left_out.turns if each.left_out else 0 for each in fitted]
    assert begins == sorted(begins)
    assert len(set(begins)) <= len(begins) // 2
    same = 14 + next(at for at in range(8, 19) if begins[at] == begins[at + 1])
    kept = [ask(engine, chat(n, chat_id="grows"), CALM).finished.usage for n in (same, same + 1)]
    assert kept[1].cached_tokens > 0.8 * kept[1].prompt_tokens


def test_what_cannot_be_dropped_is_refused(engine: Engine) -> None:
    long = PromptDocument(id="l", name="long", text="Clause 7: thirty days.\n" * 60)
    prompt = replace(chat(3), documents=(long,))
    measured = engine.measure(1, prompt, CALM)
    assert measured.prompt_tokens >= N_CTX
    assert measured.left_out is not None
    assert measured.left_out.turns == 6
    with pytest.raises(UserError, match="too many"):
        ask(engine, prompt, CALM)


def test_a_reply_that_runs_out_of_context_stops_there(engine: Engine) -> None:
    generation = replace(CALM, max_tokens=0, logit_bias=("<|im_end|>=-inf",))
    asked = ask(engine, chat(3), generation)
    assert asked.finished.stop_reason == "context_full"
    assert asked.finished.context_used == N_CTX
    assert not asked.removed


def test_rolling_shifts_and_then_takes_the_reply_itself(engine: Engine) -> None:
    generation = replace(CALM, overflow="rolling", max_tokens=300, logit_bias=("<|im_end|>=-inf",))
    asked = ask(engine, chat(10, chat_id="rolls"), generation)
    assert asked.finished.stop_reason == "max_tokens"
    assert asked.finished.usage.completion_tokens == 300
    assert asked.finished.context_used <= N_CTX
    during = [each for each in asked.removed if each.how != "before"]
    assert {each.how for each in during} == {"shifted"}
    assert sum(each.left_out.turns for each in asked.removed) == 20
    assert during[-1].left_out.reply_tokens == during[-1].left_out.tokens > 0
    prompt = asked.finished.usage.prompt_tokens
    gone = sum(each.left_out.tokens for each in during)
    # Nothing goes that no record names: the last token written is never decoded.
    assert prompt + 300 - gone - asked.finished.context_used in (0, 1)

    # What was shifted has seen what is gone: no other prompt starts from it.
    after = engine.measure(1, chat(10, chat_id="rolls"), generation)
    front = sum(s.tokens for s in after.segments if s.kind in ("system", "document"))
    assert after.cached_tokens <= front + 1


def test_no_prompt_starts_from_what_followed_a_gap_at_the_very_beginning(demo_model: Path) -> None:
    # A template without a system prompt: the oldest exchange begins the context.
    with BareModel(demo_model, kv_type=F16) as bare, Reader(bare) as reader:
        reader.read("a", bare.random_tokens(300, 1))
        assert reader.ledger.shift(0, 100)
        assert reader.ledger.shift(150, 170)
        assert reader.read("a", reader.ledger.held[:160]).kept == 0


def test_where_shifting_is_not_safe_the_rest_is_read_again(engine: Engine) -> None:
    del engine  # one context at a time is enough for two cores
    quantized = loaded(replace(SETTINGS, type_k="q8_0", type_v="q8_0"))
    try:
        generation = replace(
            CALM, overflow="rolling", max_tokens=140, logit_bias=("<|im_end|>=-inf",)
        )
        asked = ask(quantized, chat(10), generation)
        during = [each for each in asked.removed if each.how != "before"]
        assert during
        assert {each.how for each in during} == {"read_again"}
        assert all(each.read_again > 0 for each in during)
        assert asked.finished.usage.completion_tokens == 140
    finally:
        quantized.close()


def test_a_sliding_window_is_read_again_too(gemma_model: Path) -> None:
    engine = loaded(replace(SETTINGS, model_path=str(gemma_model)))
    try:
        generation = replace(CALM, overflow="rolling", max_tokens=140, stop=(), temperature=1.0)
        asked = ask(engine, replace(chat(9), documents=()), replace(generation, seed=1))
        during = [each for each in asked.removed if each.how != "before"]
        assert all(each.how == "read_again" for each in during)
        assert asked.finished.context_used <= N_CTX
    finally:
        engine.close()
