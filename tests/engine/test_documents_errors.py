"""Each way that a file cannot be read has its own code, and its sentence names the file."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from engine.documents.extract import read_document
from engine.documents.limits import Limits, as_size
from engine.errors import UserError
from engine.sentences.documents import SENTENCES
from tests.engine.document_files import is_root, pdf_bytes, write_pdf

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path, password: str | None = None, limits: Limits | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        read_document(path, password=password, limits=limits)
    error = caught.value
    assert error.code in SENTENCES
    assert path.name[:20] in error.message
    assert error.fix
    assert "[" not in error.message + error.fix, "a parameter of the sentence is missing"
    return error


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.txt", b"", "documents.empty"),
        ("empty.pdf", b"", "documents.empty"),
        ("blank.txt", b" \n\t\n ", "documents.empty"),
        ("blank.html", b"<html><body><script>x</script></body></html>", "documents.no_text"),
        ("program", b"\x7fELF\x02\x01\x01" + bytes(200), "documents.binary"),
        ("noise.txt", bytes(range(256)) * 8, "documents.binary"),
        ("photo.pdf", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(100), "documents.image"),
        ("scan.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "documents.image"),
        ("letter.rtf", b"{\\rtf1\\ansi Hello}", "documents.unsupported"),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "documents.unsupported"),
        (
            "locked.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "documents.protected",
        ),
        ("cut.pdf", b"%PDF-1.7\n1 0 obj\n<<", "documents.corrupt"),
        ("cut.zip", b"PK\x03\x04" + bytes(40), "documents.corrupt"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).code == code


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.pdf").code == "documents.missing"


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert refusal(tmp_path / ("x" * 4000)).code == "documents.missing"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a POSIX thing")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.txt"
    os.mkfifo(path)
    assert refusal(path).code == "documents.not_a_file"


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions work otherwise here")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "private.txt"
    path.write_text("mine")
    path.chmod(0)
    parents = [parent for parent in path.parents if parent.stat().st_uid == os.getuid()]
    if is_root():
        for parent in parents:
            if parent.is_relative_to(tmp_path.parent.parent):
                parent.chmod(0o755)
        os.seteuid(65534)
    try:
        assert refusal(path).code == "documents.no_permission"
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


def test_encrypted_and_wrong_password(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "secret.pdf", ["nothing to see here"], password="tide")
    assert refusal(path).code == "documents.encrypted"
    assert refusal(path, password="ebb").code == "documents.wrong_password"


def test_scanned_says_how_many_pages(tmp_path: Path) -> None:
    path = write_pdf(
        tmp_path / "scan.pdf", ["", "", "A page with some text", ""], pictures=(0, 1, 3)
    )
    error = refusal(path)
    assert error.code == "documents.scanned"
    assert "3 of 4 pages" in error.message


def test_blank_pdf(tmp_path: Path) -> None:
    assert refusal(write_pdf(tmp_path / "blank.pdf", ["", ""])).code == "documents.no_text"


def test_truncated_pdf_is_an_error_or_is_read_never_a_crash(tmp_path: Path) -> None:
    whole = pdf_bytes(["One page of text here", "Another page of text"])
    path = tmp_path / "cut.pdf"
    for kept in range(20, len(whole), 41):
        path.write_bytes(whole[:kept])
        try:
            assert "page of text" in read_document(path).text
        except UserError as error:
            assert error.code in ("documents.corrupt", "documents.no_text")  # noqa: PT017


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(text_file_bytes=5_000), "documents.too_big"),
        (Limits(chars=5_000), "documents.too_much_text"),
        (Limits(pages=2), "documents.too_many_pages"),
    ],
)
def test_enormous_states_the_limit(tmp_path: Path, limits: Limits, code: str) -> None:
    path = tmp_path / "huge.txt"
    path.write_text("a line of text\n" * 1_000)
    error = refusal(path, limits=limits)
    assert error.code == code
    stated = ("4.9 KiB", "5,000", "2")
    assert any(limit in error.message for limit in stated)


def test_too_many_pdf_pages_are_refused_before_reading(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "huge.pdf", ["Some text on a page"] * 5)
    assert refusal(path, limits=Limits(pages=4)).code == "documents.too_many_pages"
    assert refusal(path, limits=Limits(file_bytes=100)).code == "documents.too_big"


def test_cancelled(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "book.pdf", ["Some text on a page"] * 5)
    with pytest.raises(UserError) as caught:
        read_document(path, cancelled=lambda: True)
    assert caught.value.code == "documents.cancelled"


def test_a_web_page_saved_as_pdf_is_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_text("<html><body><p>Please log in</p></body></html>")
    document = read_document(path)
    assert document.text == "Please log in"
    assert [note.code for note in document.notes] == ["documents.note_wrong_extension"]


def test_an_empty_zip_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "nothing.zip"
    zipfile.ZipFile(path, "w").close()
    refusal(path)


def test_hidden_characters_are_taken_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "trojan.txt"
    path.write_text("if admin\u202e:nimda ton\u2066 x\U000e0041\U000e0042 \u0645\u200f\x00?"[:-2])
    document = read_document(path)
    assert document.text == "if admin:nimda ton x \u0645\u200f"
    assert [note.params["count"] for note in document.notes] == [4]


@pytest.mark.parametrize(
    ("size", "text"),
    [(12, "12 bytes"), (2048, "2.0 KiB"), (300_000, "293 KiB"), (3 << 30, "3.0 GiB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert as_size(size) == text


def test_every_sentence_is_plain() -> None:
    for code, (message, fix) in SENTENCES.items():
        assert code.startswith("documents.")
        assert message.endswith((".", "}."))
        assert "!" not in message + fix
        assert fix.endswith(".")
