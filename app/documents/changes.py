"""Whether the file of a document is still what was read of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.documents.source import Source

if TYPE_CHECKING:
    from app.store.rows import DocumentInfo
    from engine.documents.model import Document

FileState = Literal["same", "touched", "changed", "gone"]


class FileCheck(NamedTuple):
    """What became of a file.

    Attributes:
        state: ``touched`` is another time of change and the same content.
        version: Names the state the file is in now, so that a choice can be remembered for it.
        mtime_ns: Its time of change now; 0 when it is gone.
    """

    state: FileState
    version: str = ""
    mtime_ns: int = 0


def check_file(document: Document | DocumentInfo) -> FileCheck:
    """Look at a document's file; reads it whole when its time of change is another one.

    Not for the GUI thread: disks sleep, networks hang. A folder is taken as it was read, because
    looking through it is as much work as reading it again.
    """
    if not document.path or document.kind == "folder":
        return FileCheck("same")
    try:
        status = os.stat(document.path)
        version = f"{status.st_size}:{status.st_mtime_ns}"
        if (status.st_size, status.st_mtime_ns) == (document.size_bytes, document.mtime_ns):
            return FileCheck("same", version, status.st_mtime_ns)
        is_alike = status.st_size == document.size_bytes and _hash_of(document) == document.id
    except (OSError, ValueError):
        return FileCheck("gone", "gone")
    return FileCheck("touched" if is_alike else "changed", version, status.st_mtime_ns)


def _hash_of(document: Document | DocumentInfo) -> str:
    return Source(document.name, path=Path(document.path)).content_hash()
