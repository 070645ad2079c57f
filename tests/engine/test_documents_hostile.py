"""Files made to do harm: each is read or refused with a sentence, soon, and reaches nothing."""

from __future__ import annotations

import io
import random
import socket
import struct
import time
import zipfile
from email.message import EmailMessage
from typing import TYPE_CHECKING

import docx
import openpyxl
import pptx
import pytest

from engine.documents.extract import read_document
from engine.documents.limits import MIB, Limits
from engine.documents.reader import DocumentReader
from engine.errors import UserError
from engine.sentences.documents import SENTENCES
from tests.engine.document_files import pdf_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.documents.model import Document

SECRET = "the-secret-that-must-not-leak"
PATIENCE_S = 8.0


def attempt(path: Path) -> Document | UserError:
    """Read a file; whatever it is, the outcome is a document or a sentence, and comes soon."""
    # Time of this thread alone, so that a busy machine does not decide.
    began = time.thread_time()
    outcome: Document | UserError
    try:
        outcome = read_document(path, limits=Limits(chars=5_000_000))
    except UserError as error:
        outcome = error
    if isinstance(outcome, UserError):
        assert outcome.code in SENTENCES
        assert path.name in outcome.message
    else:
        assert outcome.text
        assert SECRET not in outcome.text
        assert all(note.code in SENTENCES for note in outcome.notes)
    assert time.thread_time() - began < PATIENCE_S
    return outcome


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def zipped(entries: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def make_docx() -> bytes:
    word = docx.Document()
    word.add_heading("Heading", 1)
    word.add_paragraph("Some text in a paragraph. " * 40)
    word.add_table(rows=3, cols=3).cell(0, 0).text = "cell"
    return saved(word.save)


def make_pptx() -> bytes:
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[1]).shapes.title.text = "Title of it"
    return saved(deck.save)


def make_xlsx() -> bytes:
    book = openpyxl.Workbook()
    for row in range(60):
        book.active.append([row, f"text {row}", row / 7])
    return saved(book.save)


def make_epub(chapter: str = "<h1>One</h1><p>Text of it</p>", href: str = "a.xhtml") -> bytes:
    return zipped(
        {
            "META-INF/container.xml": '<c><rootfile full-path="p/c.opf"/></c>',
            "p/c.opf": f'<p><item id="a" href="{href}"/><itemref idref="a"/></p>',
            "p/a.xhtml": chapter,
        }
    )


def make_mail() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Hello"
    message.set_content("Some text\n" * 30)
    message.add_alternative("<p>Some <b>HTML</b></p>", subtype="html")
    message.add_attachment(b"\x00\x01" * 500, maintype="image", subtype="png", filename="a.png")
    return message.as_bytes()


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    return {
        "pdf": pdf_bytes(["Page of text"] * 6, outline=[("One", 0)], pictures=[1]),
        "docx": make_docx(),
        "pptx": make_pptx(),
        "xlsx": make_xlsx(),
        "epub": make_epub(),
        "zip": zipped({f"src/f{n}.py": f"print({n})\n" * 30 for n in range(8)}),
        "eml": make_mail(),
        "html": b"<html><body>" + b"<p>Some <b>text</b><table><tr><td>1</table>" * 40,
        "csv": b"a,b,c\n" + b'1,"two, and more",3\n' * 80,
        "md": b"# One\n\ntext\n\n```\ncode\n```\n" * 30,
    }


def test_truncated_anywhere(tmp_path: Path, samples: dict[str, bytes]) -> None:
    count = 0
    for suffix, whole in samples.items():
        for part in range(1, 13):
            path = tmp_path / f"cut{part}.{suffix}"
            path.write_bytes(whole[: len(whole) * part // 13])
            attempt(path)
            count += 1
    assert count == 120


def test_damaged_anywhere(tmp_path: Path, samples: dict[str, bytes]) -> None:
    chance = random.Random(7)
    count = 0
    for suffix, whole in samples.items():
        for part in range(12):
            data = bytearray(whole)
            for _ in range(1 + part * 3):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path = tmp_path / f"bad{part}.{suffix}"
            path.write_bytes(data)
            attempt(path)
            count += 1
    assert count == 120


def test_named_as_something_else(tmp_path: Path, samples: dict[str, bytes]) -> None:
    count = 0
    for real, whole in samples.items():
        for claimed in samples:
            if claimed == real:
                continue
            path = tmp_path / f"{real}.{claimed}"
            path.write_bytes(whole)
            outcome = attempt(path)
            packed = ("pdf", "docx", "pptx", "xlsx", "epub", "zip")
            if real in packed and not isinstance(outcome, UserError):
                kind = "archive" if real == "zip" else real
                assert outcome.kind == kind
            count += 1
    assert count == 90


def test_noise(tmp_path: Path) -> None:
    chance = random.Random(11)
    for number, suffix in enumerate(("pdf", "docx", "txt", "csv", "html", "eml", "md", "zip") * 4):
        path = tmp_path / f"noise{number}.{suffix}"
        path.write_bytes(chance.randbytes(chance.randrange(1, 5000)))
        attempt(path)


def test_a_zip_bomb_is_refused_by_what_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(30):
            archive.writestr(f"{number}.txt", bytes(MIB) * 2)
    with pytest.raises(UserError) as caught:
        read_document(path, limits=Limits(unpacked_bytes=32 * MIB))
    assert caught.value.code == "documents.unpacks_too_big"
    assert "60 MiB" in caught.value.message


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "epub"])
def test_a_bomb_inside_an_office_file(tmp_path: Path, samples: dict[str, bytes], kind: str) -> None:
    path = tmp_path / f"bomb.{kind}"
    path.write_bytes(samples[kind])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.xml", bytes(64 * MIB))
    with pytest.raises(UserError) as caught:
        read_document(path, limits=Limits(unpacked_bytes=32 * MIB))
    assert caught.value.code == "documents.unpacks_too_big"


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_claims(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": "word " * 400_000}))
    claimed = struct.pack("<I", 100)
    real = struct.pack("<I", 2_000_000)
    path = tmp_path / "liar.zip"
    path.write_bytes(bytes(data).replace(real, claimed))
    outcome = attempt(path)
    assert isinstance(outcome, UserError) or outcome.char_count <= 100


def test_zips_within_zips_are_not_opened(tmp_path: Path) -> None:
    data = zipped({"a.txt": SECRET})
    for depth in range(6):
        data = zipped({f"{depth}.zip": data})
    path = tmp_path / "onion.zip"
    path.write_bytes(data)
    outcome = attempt(path)
    assert isinstance(outcome, UserError)
    assert outcome.code == "documents.nothing_to_read"


def test_too_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(zipped({f"{n}.txt": "x" for n in range(3000)}))
    with pytest.raises(UserError) as caught:
        read_document(path, limits=Limits(entries=2000))
    assert caught.value.code == "documents.too_many_files"


@pytest.mark.parametrize(
    "name",
    ["../../evil.txt", "/etc/evil.txt", "..\\..\\evil.txt", "a/../../evil.txt", "C:\\evil.txt"],
)
def test_archive_paths_lead_nowhere(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inner" / "deep"
    folder.mkdir(parents=True)
    path = folder / "paths.zip"
    path.write_bytes(zipped({name: "harmless text"}))
    before = sorted(tmp_path.rglob("*"))
    document = read_document(path)
    assert document.text == "harmless text"
    assert ".." not in document.pages[0].label
    assert not document.pages[0].label.startswith("/")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("href", ["../../../secret.txt", "/etc/passwd", "file:///etc/passwd"])
def test_epub_paths_lead_nowhere(tmp_path: Path, href: str) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    path = tmp_path / "book.epub"
    path.write_bytes(make_epub(href=href))
    outcome = attempt(path)
    assert isinstance(outcome, UserError)
    assert outcome.code == "documents.no_text"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that must never be spoken to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server
        with pytest.raises(TimeoutError):
            server.accept()


def entity_document(target: str) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{target}">]>'


@pytest.mark.parametrize(
    ("kind", "part", "body"),
    [
        (
            "docx",
            "word/document.xml",
            '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            "<w:body><w:p><w:r><w:t>text &e; text</w:t></w:r></w:p></w:body></w:document>",
        ),
        (
            "xlsx",
            "xl/sharedStrings.xml",
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            "<si><t>text &e;</t></si></sst>",
        ),
        ("epub", "p/a.xhtml", "<html><body><p>text &e; text</p></body></html>"),
        ("epub", "META-INF/container.xml", '<c><rootfile full-path="&e;"/></c>'),
        ("pptx", "ppt/presentation.xml", "<p>&e;</p>"),
        ("html", "", "<html><body><p>text &e;</p><img src='{url}'><iframe src='{url}'></html>"),
    ],
)
@pytest.mark.parametrize("scheme", ["file", "http"])
def test_external_entities_are_not_followed(
    tmp_path: Path,
    samples: dict[str, bytes],
    listener: socket.socket,
    kind: str,
    part: str,
    body: str,
    scheme: str,
) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    file_url = (tmp_path / "secret.txt").as_uri()
    url = file_url if scheme == "file" else f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    attack = entity_document(url) + body.replace("{url}", url)
    path = tmp_path / f"entity.{kind}"
    if part:
        with zipfile.ZipFile(io.BytesIO(samples[kind])) as archive:
            entries: dict[str, str | bytes] = {
                name: archive.read(name) for name in archive.namelist()
            }
        path.write_bytes(zipped({**entries, part: attack}))
    else:
        path.write_text(attack)
    attempt(path)


def laughs() -> str:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>'


@pytest.mark.parametrize(
    ("kind", "part", "body"),
    [
        (
            "docx",
            "word/document.xml",
            '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            "<w:body><w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:body></w:document>",
        ),
        (
            "xlsx",
            "xl/worksheets/sheet1.xml",
            '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            '<sheetData><row r="1"><c t="inlineStr"><is><t>&l9;</t></is></c></row></sheetData>'
            "</worksheet>",
        ),
        ("epub", "p/a.xhtml", "<html><body><p>&l9;</p></body></html>"),
        ("epub", "p/c.opf", '<p>&l9;<item id="a" href="a.xhtml"/><itemref idref="a"/></p>'),
    ],
)
def test_a_billion_laughs(
    tmp_path: Path, samples: dict[str, bytes], kind: str, part: str, body: str
) -> None:
    with zipfile.ZipFile(io.BytesIO(samples[kind])) as archive:
        entries: dict[str, str | bytes] = {n: archive.read(n) for n in archive.namelist()}
    path = tmp_path / f"laughs.{kind}"
    path.write_bytes(zipped({**entries, part: laughs() + body}))
    outcome = attempt(path)
    assert isinstance(outcome, UserError) or outcome.char_count < 100_000


@pytest.mark.parametrize("tag", ["div", "b", "ul><li", "table><tr><td", "blockquote", "span"])
def test_deep_html(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "deep.html"
    path.write_text(f"<html><body><p>top text</p>{f'<{tag}>' * 60_000}bottom</body></html>")
    outcome = attempt(path)
    assert not isinstance(outcome, UserError)
    assert "top text" in outcome.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("quote.csv", 'a,b\n1,"' + "x" * 5_000_000),
        ("columns.csv", ",".join("abcdefgh" * 20_000) + "\n1,2\n"),
        ("quotes.csv", '"' * 200_001),
        ("line.txt", "word " * 900_000),
        ("lines.txt", "x\n" * 1_000_000),
        ("hashes.md", "#" * 1_000_000),
        ("fences.md", "```\n" * 100_000),
        ("headings.md", "# h\n" * 60_000),
        ("dots.txt", " ." * 1_000_000),
        ("spaces.txt", " " * 2_000_000 + "x"),
        ("amp.html", "<p>" + "&amp" * 300_000),
        ("angle.html", "<html>" + "<" * 300_000),
        ("attr.html", "<html><p " + "a=" * 200_000 + ">text"),
        ("comment.html", "<html><!--" + "-" * 300_000 + "<p>text"),
        ("comments.html", "<!-- -->" * 8_000 + "x"),
        ("self.html", "<a " * 100_000 + "text"),
        ("colspan.html", "<table><tr><td colspan=999999999>x<td>y</table>"),
        ("list.html", "<ul>" + "<li>x" * 100_000),
        ("header.eml", "Subject: " + "x" * 500_000 + "\n\nbody"),
        ("parts.eml", "Content-Type: multipart/mixed; boundary=x\n\n" + "--x\n\n" * 5_000),
        (
            "nest.eml",
            "".join(
                f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(300)
            ),
        ),
        ("charset.eml", "Content-Type: text/plain; charset=no-such-thing\n\nh\u00e9llo"),
        ("bidi.txt", "\u202e\u202d\u2066\u2067" * 50_000 + "x"),
        ("tags.txt", "x" + "\U000e0041" * 100_000),
        ("control.txt", "text \x1b[2J\x08\x08 more text than controls " * 400),
        ("combining.txt", "x" + "\u0301" * 500_000),
        ("surrogate.txt", "x\ud800".encode("utf-8", "surrogatepass").decode("latin-1")),
        ("divided.txt", "a\ufffe" * 200_000),
    ],
)
def test_absurd_text(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    outcome = attempt(path)
    if not isinstance(outcome, UserError):
        assert not any(ord(char) < 32 and char not in "\n\t" for char in outcome.text)
        assert not any("\u202a" <= char <= "\u202e" for char in outcome.text)


def raw_pdf(objects: dict[int, str]) -> bytes:
    body = "".join(f"{number} 0 obj\n{content}\nendobj\n" for number, content in objects.items())
    return f"%PDF-1.4\n{body}trailer << /Root 1 0 R /Size 99 >>\n%%EOF".encode()


@pytest.mark.parametrize(
    "objects",
    [
        {1: "<< /Type /Catalog /Pages 2 0 R >>", 2: "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"},
        {1: "<< /Type /Catalog /Pages 1 0 R >>"},
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: "<< /Type /Pages /Kids [] /Count 2000000000 >>",
        },
        {
            1: "<< /Type /Catalog /Pages 2 0 R /Outlines 3 0 R >>",
            2: "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            3: "<< /First 5 0 R >>",
            4: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
            5: "<< /Title (again) /Next 5 0 R /First 5 0 R /Dest [4 0 R /Fit] >>",
        },
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            4: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1e38 1e38] /Contents 4 0 R >>",
        },
        {
            1: "<< /Type /Catalog /Pages 2 0 R /PageLabels << /Kids [1 0 R] >> >>",
            2: "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            4: "<< /Type /Page /Parent 2 0 R /Contents 6 0 R /Resources << /XObject"
            " << /X 6 0 R >> >> >>",
            6: "<< /Subtype /Form /Length 5 /Resources << /XObject << /X 6 0 R >> >> >>"
            "\nstream\n/X Do\nendstream",
        },
        {1: "[" * 50_000},
        {1: "<< /A " * 20_000},
    ],
)
def test_pdfs_that_bite_their_tail(tmp_path: Path, objects: dict[int, str]) -> None:
    path = tmp_path / "loop.pdf"
    path.write_bytes(raw_pdf(objects))
    # Through the process: these are the files that have crashed readers of PDF.
    with pytest.raises(UserError) as caught:
        DocumentReader(Limits(stall_s=10.0)).read(path)
    assert caught.value.code in SENTENCES
    assert caught.value.code != "documents.stalled"
