# ruff: noqa: RUF001
"""What is read out of each format: every word, on its page, under its heading."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import assets
from engine.documents.extract import read_document
from tests.engine.document_files import write_pdf

if TYPE_CHECKING:
    from engine.documents.model import Document

SAMPLE = Path(assets.__file__).parent


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def codes(document: Document) -> list[str]:
    return [note.code for note in document.notes]


def test_a_text_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "notes.txt", "alpha\nbeta\n")
    document = read_document(path)
    assert document.id == hashlib.sha256(b"alpha\nbeta\n").hexdigest()
    assert (document.name, document.path, document.kind) == ("notes.txt", str(path), "text")
    assert document.size_bytes == 11
    assert document.mtime_ns == path.stat().st_mtime_ns
    assert [(page.anchor, page.text) for page in document.pages] == [("lines 1-3", "alpha\nbeta")]
    assert document.notes == ()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "Grüße aus Köln\n"),
        ("utf-16", "Grüße aus Köln, 東京\n"),
        ("utf-16-le", "A plain letter about nothing much, written long ago.\n"),
        ("utf-16-be", "A plain letter about nothing much, written long ago.\n"),
        ("utf-32", "Grüße aus Köln\n"),
    ],
)
def test_unicode_in_any_form_is_read_without_a_note(
    tmp_path: Path, encoding: str, text: str
) -> None:
    document = read_document(write(tmp_path / "letter.txt", text.encode(encoding)))
    assert document.text == text.strip()
    assert document.notes == ()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Die Straße führt über die Brücke; „schön“ sagte er, und ging müde weiter.\n"),
        ("koi8-r", "Широка страна моя родная, много в ней лесов, полей и рек.\n"),
        ("shift_jis", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"),
        ("gb18030", "学而时习之，不亦说乎？有朋自远方来，不亦乐乎？\n"),
        ("cp1251", "Все счастливые семьи похожи друг на друга, каждая несчастлива по-своему.\n"),
    ],
)
def test_other_encodings_are_guessed_and_said(tmp_path: Path, encoding: str, text: str) -> None:
    document = read_document(write(tmp_path / "old.txt", (text * 8).encode(encoding)))
    assert document.text == (text * 8).strip()
    assert codes(document) == ["documents.note_encoding"]


def test_a_few_broken_bytes_do_not_make_utf_8_something_else(tmp_path: Path) -> None:
    data = "Bücher und Flüsse. ".encode() * 400 + b"\xff Ende.\n"
    document = read_document(write(tmp_path / "broken.txt", data))
    assert document.text.startswith("Bücher und Flüsse.")
    assert [note.params["count"] for note in document.notes] == [1]


def test_form_feeds_are_pages(tmp_path: Path) -> None:
    document = read_document(write(tmp_path / "rfc.txt", "one\n\f\ntwo\n\fthree\n"))
    assert [(page.anchor, page.text) for page in document.pages] == [
        ("p. 1", "one"),
        ("p. 2", "two"),
        ("p. 3", "three"),
    ]


def test_long_text_is_cut_into_line_runs_that_lose_nothing(tmp_path: Path) -> None:
    lines = [f"{number} " + "word " * (number % 40) for number in range(1, 2000)]
    document = read_document(write(tmp_path / "long.txt", "\n".join(lines)))
    assert len(document.pages) > 20
    for page in document.pages:
        first, last = (int(part) for part in page.label.split("-"))
        wanted = "\n".join(line.rstrip() for line in lines[first - 1 : last])
        assert page.text == wanted
    assert document.pages[-1].label.endswith("-1999")


def test_a_line_without_end_is_cut_too(tmp_path: Path) -> None:
    document = read_document(write(tmp_path / "bundle.js", "x = 1;\n" + "a" * 20_000))
    assert "".join(page.text for page in document.pages[1:]) == "a" * 20_000
    assert len({page.label for page in document.pages}) == len(document.pages)


def test_markdown_is_cut_at_headings_but_not_inside_code(tmp_path: Path) -> None:
    text = (
        "# Title\n\nIntro.\n\n```sh\n# not a heading\nmake\n```\n\n## Part one\n\n"
        "Body one.\n\nSetext\n------\n\nBody two.\n"
    )
    document = read_document(write(tmp_path / "doc.md", text))
    assert [(entry.title, entry.level, entry.page_number) for entry in document.outline] == [
        ("Title", 0, 1),
        ("Part one", 1, 2),
        ("Setext", 1, 3),
    ]
    assert document.pages[0].text == "# Title\n\nIntro.\n\n```sh\n# not a heading\nmake\n```"
    assert document.pages[1].heading == "Part one"
    assert document.pages[2].anchor == "§ 3"


def test_csv_becomes_tables_with_numbered_rows(tmp_path: Path) -> None:
    rows = "\n".join(f'{number};"Item {number}";"a|b\nc"' for number in range(2, 400))
    document = read_document(write(tmp_path / "stock.csv", f"id;name;remark\n{rows}\n"))
    assert document.kind == "csv"
    assert all(
        page.text.startswith("| id | name | remark |\n| --- | --- | --- |\n")
        for page in document.pages
    )
    assert document.pages[0].anchor.startswith("rows 2-")
    assert "| 57 | Item 57 | a\\|b<br>c |" in document.text
    assert document.pages[-1].label.endswith("-399")


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_csv_delimiters_are_recognised(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (["x", "y, z"], ["1", "2"], ["3", "4"]))
    quoted = text.replace("y, z", '"y, z"')
    document = read_document(write(tmp_path / "data.csv", quoted))
    assert document.text == "| x | y, z |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"


def test_html_keeps_structure_and_leaves_out_what_is_not_shown(tmp_path: Path) -> None:
    page = """<!DOCTYPE html><html><head><title>T</title><script>var hidden1</script></head><body>
    <nav>Menu</nav><h1>Lease</h1><p>The <b>rent</b> is
    900&nbsp;euro.<br>Due monthly.</p><!-- hidden2 --><p style="display: none">hidden3</p>
    <ul><li>Heat<ul><li>Gas</li></ul></li><li>Water</li></ul><ol><li>First</li><li>Second</li></ol>
    <table><tr><th>Month</th><th>Sum</th></tr><tr><td>May</td><td>900</td></tr></table>
    <pre>  keep
    this</pre><img src="http://example.invalid/a.png" alt="plan of the flat"></body></html>"""
    document = read_document(write(tmp_path / "lease.html", page))
    text = document.text
    assert "# Lease\n\nThe rent is 900 euro.\nDue monthly." in text.replace("\u00a0", " ")
    assert "- Heat\n  - Gas\n- Water" in text
    assert "1. First\n2. Second" in text
    assert "| Month | Sum |\n| --- | --- |\n| May | 900 |" in text
    assert "```\n  keep\n    this\n```" in text
    assert "[image: plan of the flat]" in text
    assert "hidden" not in text
    assert codes(document) == ["documents.note_images_on"]
    assert [entry.title for entry in document.outline] == ["Lease"]


def test_html_in_a_declared_encoding(tmp_path: Path) -> None:
    page = '<html><meta charset="iso-8859-2"><p>Zażółć gęślą jaźń</p></html>'
    document = read_document(write(tmp_path / "page.html", page.encode("iso-8859-2")))
    assert document.text == "Zażółć gęślą jaźń"
    assert document.notes == ()


def test_html_is_recognised_without_its_ending(tmp_path: Path) -> None:
    document = read_document(write(tmp_path / "saved", "<!doctype html><p>Hello</p>"))
    assert (document.kind, document.text) == ("html", "Hello")


def test_pdf_pages_labels_and_outline(tmp_path: Path) -> None:
    path = write_pdf(
        tmp_path / "book.pdf",
        ["Preface", "More preface", "Chapter one\nbegins here", "and ends", "Chapter two"],
        labels="0 << /S /r >> 2 << /S /D >>",
        outline=[("One", 2), ("Two", 4)],
    )
    document = read_document(path)
    assert document.kind == "pdf"
    assert [page.label for page in document.pages] == ["i", "ii", "1", "2", "3"]
    assert [page.heading for page in document.pages] == ["", "", "One", "One", "Two"]
    assert document.pages[2].text == "Chapter one\nbegins here"
    assert [(entry.title, entry.page_number) for entry in document.outline] == [
        ("One", 3),
        ("Two", 5),
    ]
    assert document.notes == ()


def test_pdf_labels_that_repeat_give_way_to_numbers(tmp_path: Path) -> None:
    path = write_pdf(
        tmp_path / "twice.pdf", ["a" * 20, "b" * 20], labels="0 << /S /D >> 1 << /S /D >>"
    )
    assert [page.label for page in read_document(path).pages] == ["1", "2"]


def test_a_pdf_of_many_pages_with_a_picture_says_what_was_not_read(tmp_path: Path) -> None:
    pages = ["A page with enough text"] * 3 + [""]
    document = read_document(write_pdf(tmp_path / "mixed.pdf", pages, pictures=[0, 3]))
    assert [note.message for note in document.notes] == [
        "1 of 4 pages of mixed.pdf are pictures without text and were not read: 4.",
        "Images in mixed.pdf that were not read: 2 (p. 1, 4).",
    ]
    assert [page.images for page in document.pages] == [1, 0, 0, 1]
    assert document.pages[3].text == ""


def test_a_form_says_that_its_fields_were_not_read(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "form.pdf", ["Name and address, please"], form=True)
    assert codes(read_document(path)) == ["documents.note_form"]


def test_an_encrypted_pdf_opens_with_its_password(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "secret.pdf", ["The combination is 12-34-56"], password="tide")
    assert read_document(path, password="tide").text == "The combination is 12-34-56"


def test_the_sample_is_the_same_in_both_forms() -> None:
    pdf = read_document(SAMPLE / "sample.pdf")
    markdown = read_document(SAMPLE / "sample.md")
    assert len(pdf.pages) == 5
    assert "5 fathoms white cotton" in pdf.pages[1].text
    assert "| 5 fathoms | white cotton |" in markdown.text
    assert pdf.notes == markdown.notes == ()


def test_progress_reaches_its_total_and_cancelling_stops(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "long.pdf", [f"This is page {number}" for number in range(40)])
    seen: list[tuple[int, int]] = []
    read_document(path, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 40)
    assert seen[-1] == (40, 40)
    assert seen == sorted(seen)
