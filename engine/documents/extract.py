"""Reads one file into a `Document`, here and now.

This runs format libraries over bytes from anywhere, so the app calls it in a process of its own,
through `engine.documents.reader`. Nothing here writes, opens the network or follows a reference.
"""

from __future__ import annotations

import os
import traceback
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
    "docx": ("docx", "read_docx"),
    "pptx": ("pptx", "read_pptx"),
    "xlsx": ("xlsx", "read_xlsx"),
    "epub": ("epub", "read_epub"),
    "email": ("message", "read_message"),
    "archive": ("tree", "read_archive"),
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
    draft = Draft(
        place.name, limits=limits, password=password, cancelled=cancelled, progress=progress
    )
    try:
        # Not Path.is_dir, which raises on a name that no file can have.
        return _read_folder(place, draft) if os.path.isdir(place) else _read_file(place, draft)
    except OSError as error:
        raise as_user_error(error, place) from error
    except MemoryError as error:
        raise UserError("documents.too_much_memory", name=place.name) from error


def _read_file(place: Path, draft: Draft) -> Document:
    source = open_source(place)
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


def _read_folder(place: Path, draft: Draft) -> Document:
    from engine.documents.formats.tree import read_folder

    content_hash, size_bytes, mtime_ns = read_folder(place, draft)
    return Document(
        id=content_hash,
        name=place.name,
        path=str(place),
        kind="folder",
        size_bytes=size_bytes,
        mtime_ns=mtime_ns,
        pages=draft.finished_pages(),
        notes=draft.finished_notes(),
        outline=tuple(draft.outline),
    )


def read_source(source: Source, draft: Draft) -> str:
    """Read `source` into `draft` by the reader of its format; return the kind."""
    kind = detect_kind(source)
    if name_promises_other(source.name, kind):
        draft.note("documents.note_wrong_extension", kind=kind)
    module, function = _READERS[kind]
    reader = getattr(import_module(f"engine.documents.formats.{module}"), function)
    try:
        reader(source, draft)
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:
        detail = "".join(traceback.format_exception(error))
        raise UserError("documents.corrupt", name=source.name, detail=detail) from error
    if not any(page.text for page in draft.pages):
        raise UserError("documents.no_text", name=source.name)
    return kind
