"""Which format a file has. Its content decides; its name only tells apart kinds of text."""

from __future__ import annotations

import re
import zipfile
from pathlib import PurePath
from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    from engine.documents.source import Source

_SUFFIX_KINDS = {
    "markdown": ".md .markdown .mdown .mkd .qmd .rmd",
    "html": ".html .htm .xhtml",
    "csv": ".csv .tsv .tab",
    "email": ".eml",
    "code": (
        ".py .pyi .pyx .ipynb .js .mjs .cjs .jsx .ts .tsx .vue .svelte .c .h .cc .cpp .cxx .hpp .hh"
        " .cu .cuh .m .mm .rs .go .java .kt .kts .scala .swift .cs .fs .vb .rb .php .pl .pm .lua .r"
        " .jl .hs .ml .mli .ex .exs .erl .clj .cljs .lisp .el .scm .dart .zig .nim .d .pas .f90 .f"
        " .asm .s .sql .sh .bash .zsh .fish .ps1 .bat .cmd .toml .yaml .yml .json .jsonl .ndjson"
        " .xml .xsd .xsl .svg .ini .cfg .conf .cmake .mk .gradle .proto .graphql .css .scss .less"
        " .tf .nix .dockerfile .qml .ui .tex .bib .rst .adoc .diff .patch .tcl .vhd .v .sv .glsl"
    ),
}
_KIND_OF_SUFFIX = {
    suffix: kind for kind, suffixes in _SUFFIX_KINDS.items() for suffix in suffixes.split()
}
_CODE_NAMES = frozenset(("makefile", "dockerfile", "cmakelists.txt", "rakefile", "gemfile"))
_PACKED_SUFFIXES = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".epub": "epub",
    ".zip": "archive",
}

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00")
_UNSUPPORTED = (
    (b"{\\rtf", "RTF"),
    (b"%!PS", "PostScript"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"GGUF", "GGUF"),
    (b"AT&TFORM", "DjVu"),
)
_HTML = re.compile(
    rb"\A[\s\xef\xbb\xbf]*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html)", re.I | re.S
)
_MANY_CONTROLS = 0.05


def detect_kind(source: Source) -> str:
    """The kind of document that `source` holds.

    Raises:
        UserError: It is a picture, a format that is not read, or not text at all.
    """
    head = source.head
    # The PDF reference lets anything stand before the header within the first 1,024 bytes.
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _packed_kind(source)
    if head.startswith(_OLE):
        raise _ole_error(source)
    if head.startswith(_IMAGES) or head[8:12] == b"WEBP":
        raise UserError("documents.image", name=source.name)
    for signature, format_name in _UNSUPPORTED:
        if head.startswith(signature):
            raise UserError("documents.unsupported", name=source.name, format=format_name)
    if looks_binary(head):
        raise UserError("documents.binary", name=source.name)
    return _text_kind(source)


def kind_by_name(name: str) -> str | None:
    """The kind that a file's name promises, None for an unknown ending."""
    suffix = PurePath(name).suffix.lower()
    if PurePath(name).name.lower() in _CODE_NAMES:
        return "code"
    return _PACKED_SUFFIXES.get(suffix) or _KIND_OF_SUFFIX.get(suffix)


def name_promises_other(name: str, kind: str) -> bool:
    """Whether a name ends like a packed format that the content is not (`.pdf` over HTML)."""
    promised = _PACKED_SUFFIXES.get(PurePath(name).suffix.lower())
    return promised is not None and promised != kind


def looks_binary(head: bytes) -> bool:
    """Whether the bytes are no text in any encoding."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or is_wide_text(head):
        return False
    if b"\x00" in head:
        return True
    controls = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1b\x08\x1a")
    return controls > len(head) * _MANY_CONTROLS


def is_wide_text(head: bytes) -> bool:
    """Whether the bytes look like UTF-16 without a byte order mark: every other byte is zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half < 4 or b"\x00\x00" in head[:half]:
        return False
    return max(even, odd) > half * 0.7 and min(even, odd) < half * 0.05


def _text_kind(source: Source) -> str:
    by_name = kind_by_name(source.name)
    if by_name and by_name not in _PACKED_SUFFIXES.values():
        return by_name
    return "html" if _HTML.match(source.head) else "text"


def _packed_kind(source: Source) -> str:
    """Look into a zip for what makes it a document."""
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError("documents.corrupt", name=source.name, detail=repr(error)) from error
    for main_part, kind in (
        ("word/document.xml", "docx"),
        ("ppt/presentation.xml", "pptx"),
        ("xl/workbook.xml", "xlsx"),
        ("META-INF/container.xml", "epub"),
    ):
        if main_part in names:
            return kind
    if "content.xml" in names and "META-INF/manifest.xml" in names:
        raise UserError("documents.unsupported", name=source.name, format="OpenDocument")
    return "archive"


def _ole_error(source: Source) -> UserError:
    """Old office files and encrypted new ones share a container."""
    with source.open() as stream:
        beginning = stream.read(4 * 1024 * 1024)
    if _OLE_ENCRYPTED in beginning:
        return UserError("documents.protected", name=source.name)
    return UserError("documents.unsupported", name=source.name, format="Office 97-2003")
