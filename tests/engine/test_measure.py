"""What a request would hold and how long it would take, against what then happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.llama.measure import PrefillPace, PromptMeasure, with_cached
from engine.llama.prompt import PromptLayout
from engine.llama.templates import chat_template
from engine.llama.vocabulary import Vocabulary
from engine.settings import GenerationSettings
from engine.worker.protocol import Prompt, PromptDocument, Segment, Turn
from tests.engine.kv_reader import F16, BareModel, Reader

if TYPE_CHECKING:
    from pathlib import Path

N_CTX = 1024
SETTINGS = GenerationSettings(system_prompt="Be brief.", max_tokens=200)
DOCUMENT = PromptDocument(id="d", name="lease", text="Clause 7: thirty days of notice.\n" * 40)


def prompt(*texts: str) -> Prompt:
    turns = [Turn(role="assistant" if i % 2 else "user", text=t) for i, t in enumerate(texts)]
    return Prompt(chat_id="a", turns=tuple(turns), documents=(DOCUMENT,))


@pytest.mark.model
def test_measured_is_what_is_then_read(demo_model: Path) -> None:
    with BareModel(demo_model, kv_type=F16) as model, Reader(model, n_ctx=N_CTX) as reader:
        vocabulary = Vocabulary(model.handle)
        layout = PromptLayout(chat_template(model.handle, vocabulary), vocabulary)
        measure = PromptMeasure(layout, reader.ledger, PrefillPace(), n_ctx=N_CTX)

        before = measure.measure(1, prompt("When?"), SETTINGS)
        laid_out = layout.lay_out(prompt("When?"), SETTINGS)
        assert (before.prompt_tokens, before.cached_tokens) == (len(laid_out.tokens), 0)
        assert sum(segment.tokens for segment in before.segments) == N_CTX
        assert before.seconds_to_first_token is None
        assert reader.read("a", laid_out.tokens, laid_out.marks).kept == 0

        follow_up = prompt("When?", "Soon.", "How soon?")
        after = measure.measure(2, follow_up, SETTINGS)
        laid_out = layout.lay_out(follow_up, SETTINGS)
        assert after.cached_tokens == before.prompt_tokens
        assert sum(segment.cached for segment in after.segments) == after.cached_tokens
        document = next(s for s in after.segments if s.kind == "document")
        assert (document.cached, document.document_id) == (document.tokens, "d")
        assert reader.read("a", laid_out.tokens, laid_out.marks).kept == after.cached_tokens
        kinds = [segment.kind for segment in after.segments]
        assert kinds == ["system", "document", "chat", "message", "reply_reserve", "free"]


@pytest.mark.model
def test_prompt_that_does_not_fit_leaves_no_room(demo_model: Path) -> None:
    with BareModel(demo_model, kv_type=F16) as model, Reader(model, n_ctx=256) as reader:
        vocabulary = Vocabulary(model.handle)
        layout = PromptLayout(chat_template(model.handle, vocabulary), vocabulary)
        measured = PromptMeasure(layout, reader.ledger, PrefillPace(), n_ctx=256).measure(
            1, prompt("When?"), SETTINGS
        )
        assert measured.prompt_tokens > measured.n_ctx
        assert sum(segment.tokens for segment in measured.segments) == measured.prompt_tokens


@given(st.lists(st.integers(1, 100), max_size=8), st.integers(0, 900))
def test_cached_tokens_are_the_first_ones(counts: list[int], cached: int) -> None:
    segments = [Segment(kind="chat", label="", tokens=count) for count in counts]
    counted = with_cached(segments, cached)
    assert sum(segment.cached for segment in counted) == min(cached, sum(counts))
    partly = [segment for segment in counted if 0 < segment.cached < segment.tokens]
    assert len(partly) <= 1


def test_pace_grows_with_the_depth_as_it_was_seen_to() -> None:
    pace = PrefillPace()
    assert pace.tokens_per_second() is None
    assert pace.seconds_for(100, depth=0) is None

    def seconds(tokens: int, depth: int) -> float:
        return tokens * (0.001 + 1e-7 * (depth + tokens / 2))

    for depth in range(0, 8192, 512):
        pace.note(512, seconds(512, depth), depth=depth)
    for tokens, depth in ((1000, 0), (4000, 8192), (100, 20_000)):
        assert pace.seconds_for(tokens, depth=depth) == pytest.approx(seconds(tokens, depth))


@pytest.mark.parametrize("count", [2, 3])
def test_a_few_short_readings_of_a_busy_machine_say_nothing_of_depth(count: int) -> None:
    pace = PrefillPace()
    for tokens, seconds, depth in ((22, 0.5, 4), (17, 1.6, 125), (35, 2.8, 0))[:count]:
        pace.note(tokens, seconds, depth=depth)
    promised = pace.seconds_for(1700, depth=4)
    assert promised is not None
    assert promised < 1700 * 0.1


@given(
    st.lists(
        st.tuples(st.integers(1, 2048), st.floats(1e-6, 10), st.integers(0, 100_000)), max_size=80
    ),
    st.integers(0, 100_000),
    st.integers(0, 100_000),
)
def test_pace_never_promises_less_than_nothing(
    slices: list[tuple[int, float, int]], tokens: int, depth: int
) -> None:
    pace = PrefillPace()
    for count, seconds, at in slices:
        pace.note(count, seconds, depth=at)
    promised = pace.seconds_for(tokens, depth=depth)
    assert promised is None or promised >= -1e-6
