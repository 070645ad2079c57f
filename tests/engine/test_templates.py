"""Chat templates of every kind, good, missing, broken and hostile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from engine.errors import UserError
from engine.llama.jinja_sandbox import SandboxedTemplate, TemplateFailedError
from engine.llama.library import api
from engine.llama.templates import ChatTemplate, chat_template
from engine.llama.vocabulary import Vocabulary
from engine.worker.protocol import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.model
LOOP = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<reply>"
LONG_LOOP = "{{% for i in range(60) %}}{}{{% endfor %}}"
RECURSION = (
    "{% macro f(n) %}{% if n > 0 %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}"
)
TURNS = (
    Turn(role="system", text="Be brief."),
    Turn(role="user", text="Why?"),
    Turn(role="assistant", text="So."),
    Turn(role="user", text="And?"),
)


@pytest.fixture(scope="module")
def model(demo_model: Path) -> Iterator[int]:
    parameters = api().llama_model_default_params()
    parameters.vocab_only = True
    handle = api().llama_model_load_from_file(str(demo_model).encode(), parameters)
    yield handle
    api().llama_model_free(handle)


@pytest.fixture(scope="module")
def vocabulary(model: int) -> Vocabulary:
    return Vocabulary(model)


def made(text: str, vocabulary: Vocabulary) -> ChatTemplate:
    return ChatTemplate(text, vocabulary, source="file")


def test_template_of_the_model_is_used(model: int, vocabulary: Vocabulary) -> None:
    template = chat_template(model, vocabulary)
    assert (template.source, template.notices, template.can_think) == ("model", (), False)
    assert template.render(TURNS) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\nSo.<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_file_of_the_settings_comes_first(
    model: int, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    path = tmp_path / "own.jinja"
    path.write_text(LOOP)
    template = chat_template(model, vocabulary, str(path))
    assert (template.source, template.notices) == ("file", ())
    assert template.render(TURNS[1:2]) == "<user>Why?<reply>"


@pytest.mark.parametrize(
    "text",
    [
        "{% for %}",
        "{{ raise_exception('not today') }}",
        "nothing of the message",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    ],
    ids=["syntax", "raises", "leaves out", "endless"],
)
def test_broken_file_gives_way_to_the_model(
    model: int, vocabulary: Vocabulary, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "broken.jinja"
    path.write_text(text)
    template = chat_template(model, vocabulary, str(path))
    assert template.source == "model"
    assert [notice.code for notice in template.notices] == ["engine.template_broken"]
    assert "broken.jinja" in template.notices[0].message


def test_missing_file_is_told(model: int, vocabulary: Vocabulary, tmp_path: Path) -> None:
    template = chat_template(model, vocabulary, str(tmp_path / "gone.jinja"))
    assert template.source == "model"
    assert "gone.jinja" in template.notices[0].message


def test_model_without_a_template_gets_one_of_ours(
    zoo: Callable[[str], Path], gemma_model: Path
) -> None:
    expected = {
        zoo("llama-dense"): "Be brief.\n\nUser: Why?\n\nAssistant: So.\n\nUser: And?\n\nAssistant:",
        gemma_model: "<start_of_turn>user\nBe brief.\n\nWhy?<end_of_turn>\n<start_of_turn>model\n"
        "So.<end_of_turn>\n<start_of_turn>user\nAnd?<end_of_turn>\n<start_of_turn>model\n",
    }
    for path, text in expected.items():
        parameters = api().llama_model_default_params()
        parameters.vocab_only = True
        handle = api().llama_model_load_from_file(str(path).encode(), parameters)
        template = chat_template(handle, Vocabulary(handle))
        api().llama_model_free(handle)
        assert template.source == "fallback"
        assert [notice.code for notice in template.notices] == ["engine.template_missing"]
        assert template.render(TURNS) == text
        assert bool(template.stop) == text.endswith("Assistant:")


def test_system_text_goes_to_the_user_where_there_is_no_system_turn(vocabulary: Vocabulary) -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + LOOP
    skipping = LOOP.replace("<{{ m", "{% if m.role == 'system' %}{% continue %}{% endif %}<{{ m")
    for text in (refusing, skipping):
        rendered = made(text, vocabulary).render(TURNS[:2])
        assert rendered == "<user>Be brief.\n\nWhy?<reply>"


def test_turns_are_joined_only_where_the_template_wants_them_to_alternate(
    vocabulary: Vocabulary,
) -> None:
    strict = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('must alternate') }}{% endif %}{% endfor %}" + LOOP
    )
    turns = (TURNS[1], TURNS[3], TURNS[2], TURNS[3])
    assert made(strict, vocabulary).render(turns) == (
        "<user>Why?\n\nAnd?<assistant>So.<user>And?<reply>"
    )
    assert made(LOOP, vocabulary).render(turns[:2]) == "<user>Why?<user>And?<reply>"


def test_template_that_wants_content_in_parts_gets_it(vocabulary: Vocabulary) -> None:
    text = LOOP.replace("{{ m.content }}", "{% for p in m.content %}{{ p.text }}{% endfor %}")
    assert made(text, vocabulary).render(TURNS[1:2]) == "<user>Why?<reply>"


def test_thinking_is_found_and_turned_off(vocabulary: Vocabulary) -> None:
    text = LOOP + "{% if enable_thinking is defined and not enable_thinking %}<think></think>"
    text += "{% else %}<think>\n{{ '' }}{% endif %}"
    template = made(text, vocabulary)
    assert template.can_think
    opened = template.opened(template.render(TURNS[1:2]))
    assert opened is not None
    assert (opened, opened.closing) == (template.tags[0], "</think>")
    assert template.opened(template.render(TURNS[1:2], thinking=False)) is None


def test_refused_conversation_is_the_users_error(vocabulary: Vocabulary) -> None:
    text = LOOP + "{% if messages | length > 2 %}{{ raise_exception('too long.') }}{% endif %}"
    with pytest.raises(UserError, match="too long") as raised:
        made(text, vocabulary).render(TURNS[1:])
    assert raised.value.code == "engine.template_failed"


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        RECURSION,
        "{% set n = namespace(x='ab') %}" + LONG_LOOP.format("{% set n.x = n.x ~ n.x %}"),
        "{% set n = namespace(x='ab') %}" + LONG_LOOP.format("{% set n.x = n.x + n.x %}"),
        "{{ 'a' * 10**12 }}",
        "{{ 7 ** 100000000 }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
    ],
)
def test_hostile_template_is_stopped(text: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateFailedError):
        SandboxedTemplate(text, {}).render(messages=[])
    assert time.process_time() - began < 5
