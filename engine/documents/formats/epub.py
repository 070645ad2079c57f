"""EPUB books: the chapters of the spine in reading order, through the reader of HTML."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.documents.archive import Archive, open_archive
from engine.documents.formats.html import add_html, decode_html
from engine.documents.sections import SectionWriter
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
# Fonts may be scrambled without the book being protected.
_FONT_METHODS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(source: Source, draft: Draft) -> None:
    """Read a book.

    Raises:
        UserError: Damaged, protected, too big, or without text.
    """
    with open_archive(source, draft) as archive:
        if _is_protected(archive):
            raise UserError("documents.protected", name=source.name)
        chapters = list(_spine(archive, source.name))
        sections = SectionWriter(draft)
        missing = 0
        for done, name in enumerate(chapters):
            draft.step(done, len(chapters))
            if name in archive.entries:
                add_html(decode_html(archive.read(name), draft), sections)
                sections.end_page()
            else:
                missing += 1
    if missing:
        draft.note("documents.note_damaged_pages", count=missing, pages=len(chapters))


def _spine(archive: Archive, book: str) -> Iterator[str]:
    """Names of the chapters' entries, in reading order."""
    root = archive.read_xml(_CONTAINER).find(".//{*}rootfile")
    package_name = root.get("full-path", "") if root is not None else ""
    package = archive.read_xml(package_name)
    manifest = {item.get("id"): item.get("href", "") for item in package.iterfind(".//{*}item")}
    references = [item.get("idref") for item in package.iterfind(".//{*}itemref")]
    if not references:
        raise UserError("documents.corrupt", name=book, detail="the spine is empty")
    folder = posixpath.dirname(package_name)
    for reference in references:
        href = unquote(manifest.get(reference, "").partition("#")[0])
        yield posixpath.normpath(posixpath.join(folder, href))


def _is_protected(archive: Archive) -> bool:
    if _ENCRYPTION not in archive.entries:
        return False
    methods = archive.read_xml(_ENCRYPTION).iterfind(".//{*}EncryptedData/{*}EncryptionMethod")
    return any(method.get("Algorithm") not in _FONT_METHODS for method in methods)
