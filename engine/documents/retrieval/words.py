"""Text and questions as the full-text index takes them."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

# Scripts without spaces between words: every character is a word of its own to the index.
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

_COMMON_ENGLISH = """
a about according after all also an and any are as at be been before being both but by can could did
do does each every for from had has have he her his how i if in into is it its may me more most must
my no not of on only or other our over said say says shall she should so some states such tell than
that the their them then there these they this those to under upon us very was we were what when
where which while who whom whose why will with would you your
"""
COMMON_WORDS = frozenset(_COMMON_ENGLISH.split())
"""Words that say nothing of what a sentence is about."""

_MAX_TERMS = 64


def searchable(text: str) -> str:
    """Text for the index: characters of unspaced scripts stand apart."""
    return _unspaced_char().sub(r" \1 ", text)


def match_expression(question: str) -> str:
    """A question as an FTS5 expression: any of its words, common ones only if there are no others.

    Returns:
        The expression, empty when there is no word in the question. Every term is quoted, so
        nothing in a question can be an operator.
    """
    terms = list(dict.fromkeys(term.lower() for term in _term().findall(question)))
    telling = [term for term in terms if term not in COMMON_WORDS] or terms
    phrases = [phrase for term in telling for phrase in _phrases(term)]
    return " OR ".join(f'"{phrase}"' for phrase in phrases[:_MAX_TERMS])


def _phrases(term: str) -> list[str]:
    """A word as it is; a run of an unspaced script as its pairs of characters."""
    if not _unspaced_char().match(term):
        return [term]
    return [" ".join(pair) for pair in pairwise(term)] or [term]


# Compiled with the first text: these ranges take 8 ms, and a window starts without any.
@cache
def _unspaced_char() -> re.Pattern[str]:
    return re.compile(f"([{_UNSPACED}])")


@cache
def _term() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]+|[^\\W{_UNSPACED}]+")
