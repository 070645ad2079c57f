"""Reads one file into a `Document`, here and now.

This runs format libraries over bytes from anywhere, so the app calls it in a process of its own,
through `engine.documents.reader`. Nothing here writes, opens the network or follows a reference.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from engine.documents.detect import detect_kind, name_promises_other
from engine.documents.draft import Draft
from engine.documents.model import Document
from engine.documents.source import Source, as_user_error, open_source
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.documents.limits import Limits

# Imported when first needed: a text file must not wait for the office libraries.
_READERS = {
    "pdf": ("pdf", "read_pdf"),
    "text": ("text", "read_text"),
    "code": ("text", "read_code"),
    "markdown": ("text", "read_markdown"),
    "csv": ("table", "read_csv"),
    "html": ("html", "read_html"),
}


def read_document(
    path: str | Path,
    *,
    password: str | None = None,
    limits: Limits | None = None,
    cancelled: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Document:
    """Read a file whole.

    Args:
        path: The file.
        password: For an encrypted PDF.
        limits: Bounds on size and cost.
        cancelled: Asked between pages; True stops with ``documents.cancelled``.
        progress: Told (done, total) between pages; a total of 0 is unknown.

    Raises:
        UserError: The file cannot be read; the code says why (see `engine.sentences.documents`).
    """
    place = Path(path).expanduser().absolute()
    # Not Path.is_dir, which raises on a name that no file can have.
    if os.path.isdir(place):
        raise UserError("documents.folder", name=place.name)
    source = open_source(place)
    draft = Draft(
        source.name, limits=limits, password=password, cancelled=cancelled, progress=progress
    )
    try:
        kind = read_source(source, draft)
        return Document(
            id=source.content_hash(),
            name=source.name,
            path=str(place),
            kind=kind,
            size_bytes=source.size_bytes,
            mtime_ns=source.mtime_ns,
            pages=draft.finished_pages(),
            notes=draft.finished_notes(),
            outline=tuple(draft.outline),
        )
    except OSError as error:
        raise as_user_error(error, place) from error
    except MemoryError as error:
        raise UserError("documents.too_much_memory", name=source.name) from error


def read_source(source: Source, draft: Draft) -> str:
    """Read `source` into `draft` by the reader of its format; return the kind."""
    kind = detect_kind(source)
    if kind not in _READERS:
        raise UserError("documents.unsupported", name=source.name, format=kind)
    if name_promises_other(source.name, kind):
        draft.note("documents.note_wrong_extension", kind=kind)
    module, function = _READERS[kind]
    getattr(import_module(f"engine.documents.formats.{module}"), function)(source, draft)
    return kind
