"""Where the rules of a reply begin: behind its reasoning, and not again when it is continued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.llama.engine import Engine
from engine.models.demo import demo_model_path
from engine.settings import EngineSettings, GenerationSettings, validated
from engine.worker.protocol import Delta, Prompt, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.worker.protocol import ReplyEvent

pytestmark = pytest.mark.model

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "colours": {"const": ["red", "grün", "蓝"]}},
        "required": ["name", "colours"],
    }
)
CALM = GenerationSettings(temperature=0.0, max_tokens=200, json_schema=SCHEMA)
SETTINGS = EngineSettings(model_path=str(demo_model_path()), n_ctx=1024, n_threads=1)
QUESTION = Turn(role="user", text="Name a bird.")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.load(SETTINGS, progress=lambda *_: True)
    yield engine
    engine.close()


def written(
    engine: Engine,
    generation: GenerationSettings,
    *turns: Turn,
    begun: str = "",
    thought: str = "",
) -> tuple[str, str, str]:
    """Reasoning, text and the reason of the end of one reply."""
    events: list[ReplyEvent] = []
    prompt = Prompt(chat_id="a", turns=turns or (QUESTION,))
    prompt = replace(prompt, prefill_reply=begun, prefill_thinking=thought)
    finished = engine.generate(prompt, generation, emit=events.append, request_id=1)
    deltas = [event for event in events if isinstance(event, Delta)]
    thoughts = "".join(delta.text for delta in deltas if delta.thinking)
    text = "".join(delta.text for delta in deltas if not delta.thinking)
    return thoughts, text, finished.stop_reason


def test_a_continued_reply_goes_on_in_the_rules_where_it_was(engine: Engine) -> None:
    _, whole, reason = written(engine, CALM)
    assert reason == "end"
    told = json.loads(whole)
    assert told["colours"] == ["red", "grün", "蓝"]
    # Cut in the middle of a key, of text with characters of several bytes, and at its end.
    for cut in (0, 1, 4, whole.index("ü") + 1, whole.index("蓝"), len(whole) - 1, len(whole)):
        _, rest, reason = written(engine, CALM, begun=whole[:cut])
        assert reason == "end"
        assert json.loads(whole[:cut] + rest).keys() == told.keys()


def test_a_reply_that_was_cut_off_by_its_length_is_whole_after_it_went_on(engine: Engine) -> None:
    text = ""
    for _ in range(60):
        _, more, reason = written(engine, validated(CALM, max_tokens=5), begun=text)
        text += more
        if reason == "end":
            break
    assert json.loads(text)["colours"] == ["red", "grün", "蓝"]


def test_rules_begin_behind_a_text_that_does_not_follow_them(engine: Engine) -> None:
    _, rest, reason = written(engine, CALM, begun="A bird as JSON:\n")
    assert reason == "end"
    assert json.loads(rest)["colours"] == ["red", "grün", "蓝"]


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A model that is told to reason first."""
    template = tmp_path_factory.mktemp("thinker") / "thinks.jinja"
    template.write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n<think>\n{{ '' }}"
    )
    engine = Engine()
    settings = validated(SETTINGS, chat_template=str(template))
    engine.load(settings, progress=lambda *_: True)
    yield engine
    engine.close()


# What was answered before shows the model how to reason, and to come to an end.
SHOWN = Turn(role="assistant", text="<think>\nA small one, then.</think>\n\nA wren.")
THOUGHT_OVER = (*(QUESTION, SHOWN) * 3, QUESTION)
FREE = validated(CALM, json_schema="")


def test_reasoning_is_free_of_rules(thinker: Engine) -> None:
    thoughts, text, _ = written(thinker, FREE, *THOUGHT_OVER)
    assert (thoughts, text) == ("A small one, then.", "A wren.")
    thoughts, text, reason = written(thinker, CALM, *THOUGHT_OVER)
    assert (thoughts, reason) == ("A small one, then.", "end")
    assert json.loads(text)["colours"] == ["red", "grün", "蓝"]


@pytest.mark.parametrize("generation", [FREE, CALM])
def test_a_reply_that_was_cut_off_in_its_reasoning_goes_on_there(
    thinker: Engine, generation: GenerationSettings
) -> None:
    whole = written(thinker, generation, *THOUGHT_OVER)
    cut = validated(generation, max_tokens=3)
    thoughts, text, reason = written(thinker, cut, *THOUGHT_OVER)
    assert (text, reason) == ("", "max_tokens")
    assert whole[0].startswith(thoughts)
    rest, text, reason = written(thinker, generation, *THOUGHT_OVER, thought=thoughts)
    assert (thoughts + rest, text, reason) == whole
