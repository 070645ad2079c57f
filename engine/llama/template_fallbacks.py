"""Templates for models that bring none, chosen by the control tokens that the vocabulary has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.llama.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Fallback:
    """A template of ours.

    Attributes:
        named: What it is called in a sentence.
        needs: Control tokens that the vocabulary must have.
        stop: Stop strings, where no token ends a turn.
    """

    named: str
    needs: tuple[str, ...]
    text: str
    stop: tuple[str, ...] = ()


# The empty expression keeps the newline before it, which Jinja drops at the end of a template.
_LOOP = "{{% for m in messages %}}{turn}{{% endfor %}}{reply}{{{{ '' }}}}"
_FALLBACKS = (
    Fallback(
        "ChatML",
        ("<|im_start|>", "<|im_end|>"),
        _LOOP.format(
            turn="<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n",
            reply="<|im_start|>assistant\n",
        ),
    ),
    Fallback(
        "the Llama 3 format",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        _LOOP.format(
            turn="<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>",
            reply="<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ),
    Fallback(
        "the Gemma format",
        ("<start_of_turn>", "<end_of_turn>"),
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        + _LOOP.format(
            turn="<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
            "{{ m.content }}<end_of_turn>\n",
            reply="<start_of_turn>model\n",
        ),
    ),
    Fallback(
        "the Phi 3 format",
        ("<|user|>", "<|assistant|>", "<|end|>"),
        _LOOP.format(
            turn="<|{{ m.role }}|>\n{{ m.content }}<|end|>\n",
            reply="<|assistant|>\n",
        ),
    ),
)
_PLAIN = Fallback(
    "plain text",
    (),
    _LOOP.format(
        turn="{% if m.role != 'system' %}{{ m.role | capitalize }}: {% endif %}{{ m.content }}\n\n",
        reply="Assistant:",
    ),
    ("\nUser:",),
)


def fallback_for(vocabulary: Vocabulary) -> Fallback:
    """The format that a model with this vocabulary most likely knows."""
    for fallback in _FALLBACKS:
        if all(vocabulary.single_token(text) is not None for text in fallback.needs):
            return fallback
    return _PLAIN
