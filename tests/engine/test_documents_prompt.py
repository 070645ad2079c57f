"""The prompt's document block is stable to the byte and can be cited."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.documents.model import Page
from engine.documents.prompt import citation_names, citing_instruction, document_block, page_marker

PAGES = (
    Page(number=1, label="iv", text="Preface text"),
    Page(number=2, label="1", text=""),
    Page(number=3, label="2", text="Rent is 900 euro.\nDue monthly."),
)


def test_a_block_to_the_byte() -> None:
    assert document_block("lease", PAGES) == (
        '<document name="lease">\n[lease p. iv]\nPreface text\n\n'
        "[lease p. 2]\nRent is 900 euro.\nDue monthly.\n\n</document>\n"
    )


def test_anchors_say_what_kind_of_place_they_are() -> None:
    page = Page(number=4, label="41-80", text="x", mark="lines")
    assert page_marker("main.py", page) == "[main.py lines 41-80]"


def test_names_are_short_safe_and_distinct() -> None:
    names = citation_names(["lease.pdf", "Lease.docx", "a[b]<c>.txt", "x" * 90 + ".md", ".pdf"])
    assert names[:3] == ("lease", "Lease-2", "a b c")
    assert len(names[3]) == 40
    assert len(set(names)) == 5
    assert all(names)


@given(st.lists(st.text(min_size=1, max_size=60), max_size=8), st.text(min_size=1))
def test_a_document_added_at_the_end_changes_no_name_before_it(
    file_names: list[str], added: str
) -> None:
    names = citation_names(file_names)
    assert citation_names([*file_names, added])[: len(names)] == names
    assert len({name.casefold() for name in names}) == len(names)
    assert not any(mark in name for name in names for mark in '[]<>"\n')


def test_a_second_document_leaves_the_instruction_as_it_was() -> None:
    one = citing_instruction([("lease", PAGES)])
    assert citing_instruction([("lease", PAGES), ("annex", PAGES)]) == one
    assert "for example [lease p. iv]" in one
    assert citing_instruction([]) == ""
