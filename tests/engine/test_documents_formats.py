"""Office files, books, mail and source trees, written by the usual libraries and read back."""

from __future__ import annotations

import datetime
import io
import os
import zipfile
from email.message import EmailMessage
from typing import TYPE_CHECKING

import docx
import openpyxl
import pptx
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from engine.documents.extract import read_document
from engine.documents.ignore import IgnoreRules
from engine.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.documents.model import Document


def notes(document: Document) -> dict[str, object]:
    return {note.code: note.params.get("count") for note in document.notes}


def small_image() -> io.BytesIO:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "PNG")
    stream.seek(0)
    return stream


def zip_of(path: Path, entries: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_docx(tmp_path: Path) -> None:
    word = docx.Document()
    word.add_heading("Lease", 0)
    word.add_heading("1. Rent", 1)
    word.add_paragraph("The rent is 900 euro a month. " * 20)
    word.add_paragraph("Heat", style="List Bullet")
    word.add_paragraph("Water", style="List Bullet")
    table = word.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Month", "Sum", "May", "900|950"), strict=True):
        cell.text = text
    word.add_heading("2. Notice", 1)
    changed = word.add_paragraph("Notice is ")
    changed._p.append(parse_xml(f"<w:ins {nsdecls('w')}><w:r><w:t>thirty</w:t></w:r></w:ins>"))
    changed._p.append(
        parse_xml(f"<w:del {nsdecls('w')}><w:r><w:delText>ten</w:delText></w:r></w:del>")
    )
    changed.add_run(" days.")
    word.add_picture(small_image())
    word.sections[0].header.paragraphs[0].text = "File 4711"
    word.save(str(tmp_path / "lease.docx"))

    document = read_document(tmp_path / "lease.docx")
    assert document.kind == "docx"
    assert [(entry.title, entry.level) for entry in document.outline] == [
        ("Lease", 0),
        ("1. Rent", 0),
        ("2. Notice", 0),
        ("Headers and footers", 1),
    ]
    text = document.text
    assert "- Heat\n- Water" in text
    assert "| Month | Sum |\n| --- | --- |\n| May | 900\\|950 |" in text
    assert "Notice is thirty days." in text
    assert "File 4711" in text
    assert notes(document) == {"documents.note_images_on": 1}
    notice = next(page for page in document.pages if "thirty" in page.text)
    assert (notice.heading, notice.mark) == ("2. Notice", "§")


def test_docx_tables_within_tables_lose_nothing(tmp_path: Path) -> None:
    word = docx.Document()
    outer = word.add_table(rows=1, cols=2)
    outer.cell(0, 0).text = "outer"
    inner = outer.cell(0, 1).add_table(rows=1, cols=1)
    inner.cell(0, 0).text = "inner"
    word.save(str(tmp_path / "nested.docx"))
    text = read_document(tmp_path / "nested.docx").text
    assert text.count("outer") == 1
    assert text.count("inner") == 1


def test_pptx(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Soundings"
    slide.placeholders[1].text = "First point"
    slide.notes_slide.notes_text_frame.text = "Mention the tide"
    second = deck.slides.add_slide(deck.slide_layouts[6])
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "In a group"
    table = second.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
    for index, text in enumerate(("Depth", "Bottom", "4.9", "rock")):
        table.cell(index // 2, index % 2).text = text
    chart = CategoryChartData()  # type: ignore[no-untyped-call]
    chart.categories = ["May", "June"]
    chart.add_series("Depth", (10.7, 8.4))  # type: ignore[no-untyped-call]
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(3), Inches(2), chart)
    second.shapes.add_picture(small_image(), 0, 0)
    deck.save(str(tmp_path / "deck.pptx"))

    document = read_document(tmp_path / "deck.pptx")
    assert [page.anchor for page in document.pages] == ["slide 1", "slide 2"]
    assert document.pages[0].text == "# Soundings\n\nFirst point\n\nNotes: Mention the tide"
    assert "In a group" in document.pages[1].text
    assert "| Depth | Bottom |\n| --- | --- |\n| 4.9 | rock |" in document.pages[1].text
    assert "| May | 10.7 |\n| June | 8.4 |" in document.pages[1].text
    assert [entry.title for entry in document.outline] == ["Soundings"]
    assert notes(document) == {"documents.note_images_on": 1}


def test_xlsx(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Sales")
    sheet.write_row(0, 0, ["Day", "Sum", "Remark"])
    date = book.add_format({"num_format": "yyyy-mm-dd"})
    for row in range(1, 300):
        sheet.write_datetime(row, 0, datetime.datetime(2026, 5, 1), date)
        sheet.write_number(row, 1, row * 1.5)
    sheet.write_string(300, 2, "at the end")
    book.add_worksheet("Empty")
    book.add_worksheet("Notes").write_string(4, 3, "far away")
    book.close()

    document = read_document(path)
    assert document.kind == "xlsx"
    assert {page.heading for page in document.pages} == {"Sales", "Notes"}
    assert document.pages[0].label.startswith("Sales 2-")
    assert document.pages[-2].label.endswith("-301")
    assert all(page.text.startswith("| Day | Sum | Remark |") for page in document.pages[:-1])
    assert "| 2026-05-01 | 12 |  |" in document.text
    assert "| 2026-05-01 | 4.5 |  |" in document.text
    assert document.pages[-1].label == "Notes 5"
    assert "far away" in document.pages[-1].text


def test_xlsx_formulas_never_computed_are_shown_as_formulas(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b", "sum"])
    book.active.append([1, 2, "=A2+B2"])
    book.save(tmp_path / "sum.xlsx")
    document = read_document(tmp_path / "sum.xlsx")
    assert "| 1 | 2 | =A2+B2 |" in document.text
    assert "documents.note_formulas" in notes(document)


def test_xlsx_with_one_cell_at_the_far_corner_is_quick(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "near"
    book.active["XFD90000"] = "far"
    book.save(tmp_path / "corner.xlsx")
    document = read_document(tmp_path / "corner.xlsx")
    assert "near" in document.text
    assert "far" in document.text


def epub(path: Path, chapters: dict[str, str], extra: dict[str, str] | None = None) -> Path:
    items = "".join(
        f'<item id="c{n}" href="text/{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
    )
    entries: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container,
        "OEBPS/content.opf": package,
        **(extra or {}),
    }
    for name, text in chapters.items():
        entries[f"OEBPS/text/{name}"] = text
    return zip_of(path, entries)


def test_epub(tmp_path: Path) -> None:
    xhtml = (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head>'
        "<title/></head><body><h1>{0}</h1><p>Ends with café.</p></body></html>"
    )
    path = epub(
        tmp_path / "book.epub", {"b.xhtml": xhtml.format("Two"), "a.xhtml": xhtml.format("One")}
    )
    document = read_document(path)
    assert document.kind == "epub"
    assert [page.text for page in document.pages] == [
        "# Two\n\nEnds with café.",
        "# One\n\nEnds with café.",
    ]
    assert [(entry.title, entry.page_number) for entry in document.outline] == [
        ("Two", 1),
        ("One", 2),
    ]


def test_a_protected_epub_is_said_to_be(tmp_path: Path) -> None:
    locked = (
        '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        '<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
        "</enc:EncryptedData></encryption>"
    )
    path = epub(tmp_path / "x.epub", {"a.xhtml": "<p>?</p>"}, {"META-INF/encryption.xml": locked})
    with pytest.raises(UserError) as caught:
        read_document(path)
    assert caught.value.code == "documents.protected"


def test_mail(tmp_path: Path) -> None:
    message = EmailMessage()
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "Ben <ben@example.org>"
    message["Subject"] = "Grüße vom Boot"
    message.set_content("Dear Ben,\n\nthe rock is at 4.9 metres.\n")
    message.add_alternative("<p>not this one</p>", subtype="html")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="chart.pdf")
    (tmp_path / "mail.eml").write_bytes(message.as_bytes())
    document = read_document(tmp_path / "mail.eml")
    assert document.kind == "email"
    assert document.text.startswith("From: Ada <ada@example.org>\nTo: Ben")
    assert "Subject: Grüße vom Boot\nAttachments: chart.pdf" in document.text
    assert "the rock is at 4.9 metres." in document.text
    assert "not this one" not in document.text
    assert notes(document) == {"documents.note_attachments": 1}


def test_mail_in_html_only(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "News"
    message.set_content("<h2>Tide</h2><p>High at <b>nine</b></p>", subtype="html")
    (tmp_path / "news.eml").write_bytes(message.as_bytes())
    text = read_document(tmp_path / "news.eml").text
    assert "## Tide\n\nHigh at nine" in text


TREE: dict[str, str | bytes] = {
    "README.md": "# Project\n",
    "src/main.py": "print('hello')\n",
    "src/data.bin": b"\x00\x01\x02" * 50,
    "node_modules/lib/index.js": "ignored()\n",
    "build/out.txt": "ignored\n",
    "logs/a.log": "ignored\n",
    "logs/keep.log": "kept\n",
    ".gitignore": "/build/\n*.log\n!keep.log\n",
}


def test_a_folder_is_a_document_of_its_text_files(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name, content in TREE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (tmp_path / "secret.txt").write_text("outside")
    os.symlink(tmp_path / "secret.txt", root / "link.txt")
    document = read_document(root)
    assert (document.kind, document.name) == ("folder", "project")
    assert [page.anchor for page in document.pages] == [
        "file .gitignore 1-4",
        "file README.md 1-2",
        "file logs/keep.log 1-2",
        "file src/main.py 1-2",
    ]
    assert "outside" not in document.text
    assert "ignored" not in document.text
    assert notes(document)["documents.note_unread_files"] == 1
    before = document.id
    (root / "src/main.py").write_text("print('changed')\n")
    assert read_document(root).id != before


def test_a_zip_of_the_same_tree_reads_the_same(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "project.zip", TREE)
    document = read_document(path)
    assert document.kind == "archive"
    assert [page.label for page in document.pages][-2:] == ["logs/keep.log 1-2", "src/main.py 1-2"]
    assert notes(document)["documents.note_ignored_files"] == 3


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_document(tmp_path)
    assert caught.value.code == "documents.nothing_to_read"


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        ("*.log", "a/b/x.log", True),
        ("*.log", "x.logs", False),
        ("/a", "a/x", True),
        ("/a", "b/a/x", False),
        ("a/", "b/a/x", True),
        ("a/", "b/a", False),
        ("a/b", "a/b", True),
        ("a/b", "c/a/b", False),
        ("**/b", "c/a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("# a comment", "# a comment", False),
    ],
)
def test_ignore_rules_are_gits(pattern: str, path: str, ignored: bool) -> None:
    rules = IgnoreRules()
    rules.add(pattern, "")
    assert rules.ignores(path) is ignored


@given(st.text(alphabet="ab*?[]!/.\\#- ", max_size=12), st.text(alphabet="ab/.", max_size=12))
def test_no_pattern_breaks_the_ignore_rules(pattern: str, path: str) -> None:
    rules = IgnoreRules()
    rules.add(pattern, "")
    assert rules.ignores(path) in (True, False)
