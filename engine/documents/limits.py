"""How much a document may be, and how much its reading may cost.

The limits are far above real documents (the longest manuals have a few thousand pages and some
six million characters); they are there for bombs and mistakes.
"""

from __future__ import annotations

import msgspec

MIB = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one document. Over any of them the document is refused with its own sentence.

    Attributes:
        file_bytes: A paged or packed file (PDF, office, EPUB, zip) on disk.
        text_file_bytes: A file that is read into memory as text.
        pages: Pages of the document.
        chars: Characters of text. Keeps the answer of the reading process within one frame.
        unpacked_bytes: What an archive may hold, all entries together.
        entries: Entries of an archive, files below a folder.
        stall_s: Seconds without progress after which reading is given up.
        total_s: Seconds that reading may take in all.
        memory_bytes: Memory of the reading process.
    """

    file_bytes: int = 1024 * MIB
    text_file_bytes: int = 128 * MIB
    pages: int = 50_000
    chars: int = 50_000_000
    unpacked_bytes: int = 1024 * MIB
    entries: int = 20_000
    stall_s: float = 60.0
    total_s: float = 900.0
    memory_bytes: int = 2048 * MIB


def as_size(size_bytes: int) -> str:
    """A size for people: ``12 KiB``, ``3.4 MiB``."""
    if size_bytes < 1024:
        return f"{size_bytes} bytes"
    size = size_bytes / 1024
    for unit in ("KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
