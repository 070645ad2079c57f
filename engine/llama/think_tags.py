"""What models write around their reasoning, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.llama.stream import ThinkTags

if TYPE_CHECKING:
    from engine.llama.vocabulary import Vocabulary

_KNOWN = (
    ThinkTags("<think>", "</think>"),
    ThinkTags("<seed:think>", "</seed:think>"),
    ThinkTags("[THINK]", "[/THINK]"),
    ThinkTags("<thought>", "</thought>"),
    ThinkTags("◁think▷", "◁/think▷"),
    ThinkTags("<|START_THINKING|>", "<|END_THINKING|>"),
    ThinkTags("<|channel>thought\n", "<channel|>"),
)
# The end and start tokens between two channels have no text, which leaves the role's name.
_CHANNELS = (
    ThinkTags("<|channel|>analysis<|message|>", "assistant<|channel|>final<|message|>"),
    ThinkTags("<|channel|>final<|message|>", ""),
)
_CHANNEL_TOKENS = ("<|channel|>", "<|message|>")


def known_tags() -> tuple[ThinkTags, ...]:
    """All that are known; the most common first."""
    return (*_KNOWN, *_CHANNELS)


def tags_in(template: str, vocabulary: Vocabulary) -> tuple[ThinkTags, ...]:
    """The tags to look for in a model's text: those of its template or its vocabulary.

    Control tokens among them are given their text in the vocabulary, as otherwise nothing of them
    would reach the reply.
    """
    tags = [tag for tag in _KNOWN if _is_used(tag, template, vocabulary)]
    if all(vocabulary.single_token(text) is not None for text in _CHANNEL_TOKENS):
        tags += _CHANNELS
        vocabulary.spell_out(_CHANNEL_TOKENS)
    for tag in tags:
        vocabulary.spell_out((tag.opening, tag.closing))
    return tuple(tags)


def _is_used(tag: ThinkTags, template: str, vocabulary: Vocabulary) -> bool:
    in_template = tag.opening in template or tag.closing in template
    return in_template or vocabulary.single_token(tag.opening) is not None
