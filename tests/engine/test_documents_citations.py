"""A citation is solid when its page says so, hollow when it does not, and never the other way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.documents.citations import Citation, CitationChecker
from engine.documents.model import Page
from engine.documents.wording import Wording
from tests.engine.kjv import kjv, verses

LEASE = (
    Page(number=1, label="i", text="Lease between Ada and Ben, signed in March 2024."),
    Page(
        number=2,
        label="1",
        text="The rent is 900 euro a month,\nto be paid by the third work-\ning day. Pets need the "
        "landlord’s consent.",  # noqa: RUF001
    ),
    Page(number=3, label="2", text="Notice must be given thirty days before the end of a month."),
)
CODE = (Page(number=1, label="41-80", text="def sound(depth): return depth", mark="lines"),)


def check(answer: str, **more: tuple[Page, ...]) -> list[Citation]:
    return CitationChecker({"lease": LEASE, **more}).check(answer)


@pytest.mark.parametrize(
    "answer",
    [
        'The lease says "The rent is 900 euro a month" [lease p. 1].',
        "It says “the rent is 900 euro a month, to be paid” [lease p. 1].",
        'It says "The rent is 900 euro … consent" [lease p. 1].',
        'It says "need the landlord\'s consent" [Lease P.1]',
        "The rent is 900 euro per month [lease p. 1].",
        "The rent of 900 euro must be paid every month. [lease p. 1]",
        "Pets need consent of the landlord [lease page 1].",
        "Rent is 900 euro a month [p. 1].",
    ],
)
def test_what_the_page_says_is_verified(answer: str) -> None:
    (citation,) = check(answer)
    assert (citation.document, citation.page_number) == ("lease", 2)
    assert citation.verified
    assert citation.span is not None
    assert answer[citation.start] == "["
    assert answer[citation.end - 1] == "]"


@pytest.mark.parametrize(
    ("answer", "found_on"),
    [
        ('It says "The rent is 950 euro a month" [lease p. 1].', ()),
        ('It says "Notice must be given thirty days" [lease p. 1].', (3,)),
        ("The rent is 950 euro a month [lease p. 1].", ()),
        ("Cats are forbidden in the whole building [lease p. 1].", ()),
        ("Notice must be given thirty days before [lease p. 1].", ()),
    ],
)
def test_what_the_page_does_not_say_is_not(answer: str, found_on: tuple[int, ...]) -> None:
    (citation,) = check(answer)
    assert not citation.verified
    assert citation.span is None
    assert citation.found_on == found_on


def test_the_span_is_the_passage_on_the_page() -> None:
    (citation,) = check('"paid by the third working day" [lease p. 1]')
    assert citation.span is not None
    start, end = citation.span
    assert LEASE[1].text[start:end] == "paid by the third work-\ning day"


def test_several_citations_each_vouch_for_their_own_sentence() -> None:
    answer = (
        "The rent is 900 euro a month [lease p. 1]. Notice must be given thirty days before "
        "[lease p. 2]. It was signed in March 2024 [lease p. i]."
    )
    citations = check(answer)
    assert [citation.page_number for citation in citations] == [2, 3, 1]
    assert all(citation.verified for citation in citations)


def test_lists_ranges_and_other_kinds_of_places() -> None:
    cited = check("Something [lease p. 1, p. 2; code lines 41-80].", code=CODE)
    assert [(one.document, one.page_number) for one in cited] == [
        ("lease", 2),
        ("lease", 3),
        ("code", 1),
    ]
    assert [one.page_number for one in check("Something [lease pp. 1-2].")] == [2, 3]


def test_a_page_that_does_not_exist_is_a_citation_without_a_page() -> None:
    (citation,) = check("The rent is 900 euro [lease p. 77].")
    assert citation.page_number is None
    assert not citation.verified


@pytest.mark.parametrize("answer", ["a[0] = b[i]", "[x] done", "see [1] and [link](http://x)", ""])
def test_other_brackets_are_left_alone(answer: str) -> None:
    assert check(answer, code=CODE) == []


def test_every_verse_is_found_on_its_chapter_and_on_no_other() -> None:
    checker = CitationChecker({"kjv": kjv().pages})
    chance = random.Random(3)
    long_enough = [verse for verse in verses() if len(verse.text.split()) >= 10]
    for verse in chance.sample(long_enough, 200):
        text = verse.text.replace('"', "")
        right, wrong = verse.page_number, verse.page_number % 1189 + 1
        (good,) = checker.check(f'As it is written: "{text}" [kjv p. {right}].')
        assert good.verified
        assert good.page_number == right
        (bad,) = checker.check(f'As it is written: "{text}" [kjv p. {wrong}].')
        if bad.verified:
            assert Wording(kjv().pages[wrong - 1].text).find(text) is not None
        else:
            assert right in bad.found_on


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_answer_breaks_the_checker(answer: str, quote: str) -> None:
    for citation in check(f"{answer} [lease p. 1] {quote} [lease p. 1, {quote}]"):
        assert 0 <= citation.start < citation.end


@given(st.text(min_size=1, max_size=200), st.data())
def test_whatever_stands_in_a_text_is_found_where_it_stands(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    whole_words = Wording(text).find(text)
    if whole_words is not None:
        first, last = whole_words
        assert text[:first].isascii() or first >= 0
        assert Wording(text).find(text[first:last]) is not None
    found = Wording(text[start:end]).find(text[start:end])
    assert found is None or 0 <= found[0] < found[1] <= end - start
