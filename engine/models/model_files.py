"""Model files on disk: what a file is by its first bytes, and the parts of a split model."""

from __future__ import annotations

import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"GGUF"
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_OLD_MAGICS = (b"lmgg", b"fmgg", b"tjgg", b"algg", b"tmgg", b"ggml", b"ggjt", b"ggla")
_LFS_POINTER = b"version https://git-lfs"


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a GGUF file; yields it, standing at the start, and its size in bytes.

    Raises:
        UserError: What the file is instead, or why it cannot be opened.
    """
    if "\0" in str(path):
        raise UserError("models.not_found", path=str(path))
    try:
        # A pipe or a device would block, or never end.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UserError("models.not_a_file", path=str(path))
        with path.open("rb") as file:
            head = file.read(512)
            if not head.startswith(MAGIC):
                raise _other_kind(path, head)
            file.seek(0)
            yield file, found.st_size
    except FileNotFoundError as error:
        raise UserError("models.not_found", path=str(path)) from error
    except OSError as error:
        raise UserError("models.unreadable", path=str(path), detail=str(error)) from error


def split_place(name: str) -> tuple[str, int, int] | None:
    """Stem, number from 1 and count of a split model's part; None for a whole file."""
    found = _SPLIT.fullmatch(name)
    if found is None:
        return None
    number, count = int(found["number"]), int(found["count"])
    return (found["stem"], number, count) if 1 <= number <= count else None


def parts_of(path: Path) -> tuple[Path, ...]:
    """All files of a model, the first part first; for a whole file, itself.

    Raises:
        UserError: ``models.part_missing``.
    """
    place = split_place(path.name)
    if place is None:
        return (path,)
    stem, _, count = place
    parts = tuple(
        path.with_name(f"{stem}-{number:05d}-of-{count:05d}{path.suffix}")
        for number in range(1, count + 1)
    )
    for part in parts:
        if not part.is_file():
            raise UserError("models.part_missing", path=str(part), count=count)
    return parts


def truncated(path: Path | str, missing_bytes: int) -> Problem:
    """The sentence for a file that was cut off."""
    missing_mib = max(1, missing_bytes // 1024**2)
    return Problem(
        code="models.truncated", params={"path": str(path), "missing": f"{missing_mib:,}"}
    )


def _other_kind(path: Path, head: bytes) -> UserError:
    start = head.lstrip()[:64].lower()
    if not head:
        code = "models.empty"
    elif head.startswith(_OLD_MAGICS):
        code = "models.old_format"
    elif head.startswith(_LFS_POINTER):
        code = "models.lfs_pointer"
    elif start.startswith((b"<!doctype", b"<html")):
        code = "models.web_page"
    elif path.suffix.lower() in (".safetensors", ".bin", ".pt", ".pth"):
        code = "models.other_format"
    else:
        code = "models.not_gguf"
    return UserError(code, path=str(path), detail=repr(head[:32]))
