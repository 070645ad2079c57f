"""Writes the files that the tests of documents read: small PDFs down to the byte."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_FILE_ID = b"0123456789abcdef"


def pdf_bytes(
    pages: Sequence[str],
    *,
    labels: str = "",
    outline: Sequence[tuple[str, int]] = (),
    pictures: Sequence[int] = (),
    password: str = "",
    form: bool = False,
) -> bytes:
    """A PDF with a page per text.

    Args:
        pages: The pages' texts; a line feed begins a new line on the page.
        labels: The number tree of page labels, e.g. ``0 << /S /r >> 2 << /S /D >>``.
        outline: (title, page index) of bookmarks.
        pictures: Indices of pages that show an image.
        form: Makes it a form without fields.
        password: Encrypts the file (40-bit, as any reader opens).
    """
    objects = _Objects(_key(password) if password else b"")
    catalog, tree = objects.add(b""), objects.add(b"")
    kids = _add_pages(objects, tree, pages, pictures)
    objects.bodies[tree - 1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
        len(kids),
        b" ".join(b"%d 0 R" % kid for kid in kids),
    )
    extra = f"/PageLabels << /Nums [{labels}] >>".encode() if labels else b""
    if form:
        extra += b" /AcroForm << /Fields [] >>"
    if outline:
        extra += b" /Outlines %d 0 R" % _add_outline(objects, kids, outline)
    objects.bodies[catalog - 1] = b"<< /Type /Catalog /Pages %d 0 R %s >>" % (tree, extra)
    return _file(objects.bodies, catalog, _encryption(password) if password else b"")


def write_pdf(path: Path, pages: Sequence[str], **options: object) -> Path:
    """Write `pdf_bytes` to a file."""
    path.write_bytes(pdf_bytes(pages, **options))  # type: ignore[arg-type]
    return path


class _Objects:
    """The objects of a file, numbered from 1 as they are added; a key seals their streams."""

    def __init__(self, key: bytes) -> None:
        self.bodies: list[bytes] = []
        self._key = key

    def add(self, body: bytes, stream: bytes | None = None) -> int:
        number = len(self.bodies) + 1
        if stream is not None:
            stream = _sealed(stream, self._key, number)
            body = b"<< " + body + b" /Length %d >>\nstream\n" % len(stream)
            body += stream + b"\nendstream"
        self.bodies.append(body)
        return number


def _add_pages(
    objects: _Objects, tree: int, pages: Sequence[str], pictures: Sequence[int]
) -> list[int]:
    font = objects.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    image = objects.add(
        b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray"
        b" /BitsPerComponent 8",
        b"\x80",
    )
    kids: list[int] = []
    for index, text in enumerate(pages):
        drawn = _drawn(text) + (b" q 500 0 0 700 50 50 cm /I Do Q" if index in pictures else b"")
        content = objects.add(b"", drawn)
        kids.append(
            objects.add(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
                b" /Resources << /Font << /F %d 0 R >> /XObject << /I %d 0 R >> >> >>"
                % (tree, content, font, image)
            )
        )
    return kids


def _drawn(text: str) -> bytes:
    lines = [line.replace("\\", "\\\\").replace("(", "\\(") for line in text.split("\n")]
    shown = " T* ".join(f"({line.replace(')', chr(92) + ')')}) Tj" for line in lines if line)
    return f"BT /F 11 Tf 14 TL 60 720 Td {shown} ET".encode("cp1252") if shown else b""


def _add_outline(objects: _Objects, kids: Sequence[int], outline: Sequence[tuple[str, int]]) -> int:
    root = len(objects.bodies) + 1
    first = root + 1
    last = root + len(outline)
    objects.add(b"<< /First %d 0 R /Last %d 0 R /Count %d >>" % (first, last, len(outline)))
    for number, (title, index) in enumerate(outline, start=first):
        following = b"/Next %d 0 R" % (number + 1) if number < last else b""
        objects.add(
            b"<< /Title (%s) /Parent %d 0 R /Dest [%d 0 R /Fit] %s >>"
            % (title.encode(), root, kids[index], following)
        )
    return root


def _file(objects: Sequence[bytes], catalog: int, encryption: bytes) -> bytes:
    data = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number, body in enumerate([*objects, *([encryption] if encryption else [])], start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"/Size %d /Root %d 0 R" % (len(offsets) + 1, catalog)
    if encryption:
        file_id = _FILE_ID.hex().encode()
        trailer += b" /Encrypt %d 0 R /ID [<%s><%s>]" % (len(offsets), file_id, file_id)
    return bytes(data) + b"trailer << %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, start)


def _encryption(password: str) -> bytes:
    """The standard security handler, revision 2: user and owner password are the same."""
    owner = _owner_entry(password)
    user = rc4(_key(password), _PADDING)
    return b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (
        owner.hex().encode(),
        user.hex().encode(),
    )


def _owner_entry(password: str) -> bytes:
    padded = (password.encode() + _PADDING)[:32]
    return rc4(hashlib.md5(padded).digest()[:5], padded)


def _key(password: str) -> bytes:
    padded = (password.encode() + _PADDING)[:32]
    permissions = (-4 & 0xFFFFFFFF).to_bytes(4, "little")
    return hashlib.md5(padded + _owner_entry(password) + permissions + _FILE_ID).digest()[:5]


def _sealed(stream: bytes, key: bytes, number: int) -> bytes:
    if not key:
        return stream
    object_key = hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10]
    return rc4(object_key, stream)


def rc4(key: bytes, data: bytes) -> bytes:
    """RC4, as old PDFs are encrypted."""
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def is_root() -> bool:
    """Whether permissions do not bind this user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
