"""Bytes to text, in whatever encoding the file was written."""

from __future__ import annotations

import codecs
from itertools import pairwise
from typing import TYPE_CHECKING

import charset_normalizer

from engine.documents.detect import is_wide_text

if TYPE_CHECKING:
    from engine.documents.draft import Draft

# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Guessing costs some 100 ns a byte and tries many encodings: a sample says as much.
_SAMPLE_BYTES = 256 * 1024
_CANDIDATES = 8
_MANY_ODD_CAPITALS = 0.005
_REPLACEMENT = "\ufffd"


def decode_text(data: bytes, draft: Draft, *, declared: str = "") -> str:
    """Decode `data`, noting on `draft` a guessed encoding and bytes that no encoding explains.

    Args:
        data: The file's bytes.
        draft: Where the notes go.
        declared: The encoding that the format itself names (an HTML meta tag), or empty.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_noting(data[len(mark) :], encoding, draft)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Mostly UTF-8 with a few broken bytes is still UTF-8, not some eight-bit encoding.
        if error.start > 1000 and _damage(data) < 0.001:
            return _decode_noting(data, "utf-8", draft)
    if is_wide_text(data[:4096]):
        return _decode_noting(data, "utf-16-le" if data[1:2] == b"\x00" else "utf-16-be", draft)
    encoding = _known(declared) or _guess(data)
    if not _known(declared):
        draft.note("documents.note_encoding", encoding=encoding)
    return _decode_noting(data, encoding, draft)


def _decode_noting(data: bytes, encoding: str, draft: Draft) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, errors="replace")
        draft.note("documents.note_undecodable", count=text.count(_REPLACEMENT))
        return text


def _damage(data: bytes) -> float:
    """The share of `data` that is not UTF-8."""
    return data.decode("utf-8", errors="replace").count(_REPLACEMENT) / max(1, len(data))


def _known(encoding: str) -> str:
    """The name under which Python knows a declared encoding, empty for an unknown one."""
    try:
        return codecs.lookup(encoding).name if encoding else ""
    except LookupError:
        return ""


def _guess(data: bytes) -> str:
    """The likeliest encoding; Windows-1252 where nothing speaks for another."""
    # The sample is taken where the text stops being ASCII: before that, all encodings agree.
    first = next((i for i, byte in enumerate(data) if byte > 127), 0)
    start = max(0, first - _SAMPLE_BYTES // 8)
    sample = data[start : start + _SAMPLE_BYTES]
    candidates = list(charset_normalizer.from_bytes(sample))
    if not candidates:
        return "cp1252"
    # KOI8-R and Windows-1251 differ in little more than upper and lower case, and so are the
    # likeliest pair to be confused: capitals within words give the wrong one away.
    likeliest = candidates[0]
    best = min(candidates[:_CANDIDATES], key=lambda match: _odd_capitals(str(match)))
    odd = _odd_capitals(str(likeliest)) - _odd_capitals(str(best))
    return (best if odd > _MANY_ODD_CAPITALS else likeliest).encoding


def _odd_capitals(text: str) -> float:
    """The share of a text's letter pairs in which a capital follows a small letter."""
    pairs = [(a, b) for a, b in pairwise(text) if a.isalpha() and b.isalpha()]
    return sum(a.islower() and b.isupper() for a, b in pairs) / max(1, len(pairs))
