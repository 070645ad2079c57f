"""Text before it is shown: chunks, parsing, safety, copying. No window."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.chat.chunks import MAX_CODE_LINES, MAX_FLOW_CHARS, Chunker, chunks_of
from widgets.chat.leaves import CodeLeaf, MathLeaf, TableLeaf, TextLeaf, markdown_of, plain_of
from widgets.chat.markdown import leaves_of
from widgets.chat.plaintext import neutralised, unit_slice, units
from widgets.chat.viewdata import CitationView

LINES = st.sampled_from(
    [
        "",
        "plain words",
        "# Heading",
        "- item",
        "  - nested",
        "  more of the item",
        "1. first",
        "2. second",
        "> quoted",
        "```python",
        "```",
        "~~~",
        "    indented",
        "$$",
        "x = y",
        "\\[",
        "\\]",
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
        "---",
        "**bold** and `code`",
        "emoji 😀 and عربى",
    ]
)
TEXTS = st.lists(LINES, max_size=40).map("\n".join)


@given(TEXTS, st.lists(st.integers(0, 400), max_size=30))
def test_text_in_pieces_gives_the_chunks_of_the_whole(text: str, cuts: list[int]) -> None:
    chunker = Chunker()
    edges = sorted({0, len(text), *(cut for cut in cuts if cut <= len(text))})
    for start, end in itertools.pairwise(edges):
        before = list(chunker.closed)
        chunker.feed(text[start:end])
        assert chunker.closed[: len(before)] == before
        chunker.tail()
    chunker.finish()
    assert chunker.closed == chunks_of(text)


@given(TEXTS)
def test_no_word_is_lost_between_source_and_leaves(text: str) -> None:
    shown = "\n".join(leaf.text for chunk in chunks_of(text) for leaf in leaves_of(chunk))
    for word in ("words", "Heading", "item", "quoted", "first", "second", "bold", "عربى"):
        assert shown.count(word) >= text.count(word) - text.count("```" + word)


def test_a_long_code_block_is_cut_and_its_parts_make_the_whole() -> None:
    code = "\n".join(f"line {n}" for n in range(3 * MAX_CODE_LINES + 7))
    chunks = chunks_of(f"```python\n{code}\n```\nafter")
    parts = [chunk for chunk in chunks if chunk.kind == "code"]
    assert [part.first for part in parts] == [True, False, False, False]
    assert [part.last for part in parts] == [False, False, False, True]
    assert "\n".join(part.source for part in parts) == code
    assert {part.language for part in parts} == {"python"}


def test_a_paragraph_without_end_is_cut() -> None:
    chunker = Chunker()
    for _ in range(3000):
        chunker.feed("word ")
    tail = chunker.tail()
    assert tail is not None
    assert len(tail.source) <= MAX_FLOW_CHARS + 5
    chunker.finish()
    assert "".join(chunk.source.replace(" ", "") for chunk in chunker.closed) == "word" * 3000


@pytest.mark.parametrize("step", [1, 7, 30_000])
def test_an_endless_line_is_cut_the_same_way_however_it_comes(step: int) -> None:
    line = "".join(f"w{n}" + " " * (n % 3 == 0) for n in range(6000)) + "x" * 9000
    chunker = Chunker()
    for start in range(0, len(line), step):
        chunker.feed(line[start : start + step])
    chunker.finish()
    assert chunker.closed == chunks_of(line)
    assert max(len(chunk.source) for chunk in chunker.closed) <= MAX_FLOW_CHARS
    assert "".join(chunk.source for chunk in chunker.closed) == line


def test_a_long_table_repeats_its_head_for_parsing_and_shows_it_once() -> None:
    rows = "\n".join(f"| {n} | {n * n} |" for n in range(100))
    leaves = [
        leaf for chunk in chunks_of(f"| n | sq |\n|---|--:|\n{rows}") for leaf in leaves_of(chunk)
    ]
    tables = [leaf for leaf in leaves if isinstance(leaf, TableLeaf)]
    assert len(tables) == len(leaves) > 2
    assert sum(len(table.shown_rows) for table in tables) == 101
    assert tables[1].aligns == ("left", "right")


def test_raw_html_is_text() -> None:
    (leaf,) = leaves_of(chunks_of('<img src="file:///etc/passwd"> <script>x</script>')[0])
    assert leaf.text == '<img src="file:///etc/passwd"> <script>x</script>'


@pytest.mark.parametrize("target", ["https://example.org/a.png", "../../a.png", "a.png"])
def test_an_image_is_its_words_and_a_note(target: str) -> None:
    (leaf,) = leaves_of(chunks_of(f"see ![the chart]({target}) here")[0])
    assert leaf.text == "see the chart [image not loaded] here"
    assert isinstance(leaf, TextLeaf)
    assert all(not run.href for run in leaf.runs)


def test_script_and_file_links_are_no_links() -> None:
    text = "[run](javascript:alert(1)) ![x](file:///etc/hosts) https://ggml.ai"
    (leaf,) = leaves_of(chunks_of(text)[0])
    assert isinstance(leaf, TextLeaf)
    assert [run.href for run in leaf.runs if run.href] == ["https://ggml.ai"]


def test_control_and_direction_marks_are_neutralised() -> None:
    assert neutralised("a\u202eb\u2066c\x1b[31m\r\n\x07") == "a\ufffdb\ufffdc␛[31m\n␇"
    assert neutralised("tab\tnewline\n שלום") == "tab\tnewline\n שלום"


@given(st.text(max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_positions_are_utf16_units(text: str, a: int, b: int) -> None:
    start, end = min(a, b, len(text)), min(max(a, b), len(text))
    piece = unit_slice(text, units(text[:start]), units(text[:end]))
    assert piece == text[start:end]


def test_both_kinds_of_formula_brackets() -> None:
    (leaf,) = leaves_of(chunks_of(r"from \(a+b\) and $c^2$, not 5$ or 6$")[0])
    assert isinstance(leaf, TextLeaf)
    assert [run.text for run in leaf.runs if run.tex] == ["a+b", "c^2"]
    blocks = [leaves_of(chunk)[0] for chunk in chunks_of("$$\nx\n$$\n\\[\ny\n\\]\n")]
    assert [leaf.text for leaf in blocks if isinstance(leaf, MathLeaf)] == ["x", "y"]


def test_a_citation_becomes_a_chip_that_says_whether_it_was_found() -> None:
    cites = (
        CitationView("[p. 12]", "p. 12", "cite:1", "found"),
        CitationView("[p. 31]", "p. 31", "cite:2", "missing"),
    )
    (leaf,) = leaves_of(chunks_of("six weeks [p. 12], `[p. 12]`, [p. 31]")[0], cites)
    assert isinstance(leaf, TextLeaf)
    chips = [run for run in leaf.runs if run.citation]
    assert [chip.href for chip in chips] == ["cite:1", "cite:2"]
    assert "●" in chips[0].text
    assert "○" in chips[1].text
    assert plain_of(leaf, 0, units(leaf.text)) == "six weeks [p. 12], [p. 12], [p. 31]"


def test_emphasis_that_is_still_open_is_shown_as_emphasis() -> None:
    chunker = Chunker()
    chunker.feed("a **bold wor")
    tail = chunker.tail()
    assert tail is not None
    (leaf,) = leaves_of(tail, is_open=True)
    assert isinstance(leaf, TextLeaf)
    assert [(run.text, run.bold) for run in leaf.runs] == [("a ", False), ("bold wor", True)]


def test_the_users_own_text_stays_as_typed_but_for_code() -> None:
    chunks = chunks_of("# no heading\n  * no list\n\n```c\nint x;\n```", verbatim=True)
    leaves = [leaf for chunk in chunks for leaf in leaves_of(chunk, verbatim=True)]
    assert leaves[0].text.replace("\u2028", "\n") == "# no heading\n  * no list"
    assert isinstance(leaves[1], CodeLeaf)
    assert leaves[1].text == "int x;"


def test_copying_a_list_as_markdown_keeps_its_marks() -> None:
    chunks = chunks_of("- **one** `x`\n  - two\n")
    leaves = [leaf for chunk in chunks for leaf in leaves_of(chunk)]
    copied = "\n".join(markdown_of(leaf, 0, units(leaf.text)) for leaf in leaves)
    assert copied == "- **one** `x`\n  - two"
    plain = "\n".join(plain_of(leaf, 0, units(leaf.text)) for leaf in leaves)
    assert plain == "• one x\n  ◦ two"


def test_copying_a_table_as_markdown() -> None:
    source = "| a | b |\n| --- | ---: |\n| 1 | **2** |"
    (leaf,) = leaves_of(chunks_of(source)[0])
    assert markdown_of(leaf, 0, units(leaf.text)) == source
    assert plain_of(leaf, 0, units(leaf.text)) == "a\tb\n1\t2"
