"""Where a document's bytes come from: a file that was checked, or an entry of an archive."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from engine.documents.limits import as_size
from engine.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

HEAD_BYTES = 64 * 1024
_REPLACED = "\ufffd"
_CHUNK_BYTES = 1024 * 1024


class Source:
    """The bytes of one file, on disk or already in memory.

    Attributes:
        name: File name, for people and for telling the format.
        path: Where it lies; None for bytes in memory.
        size_bytes: How many bytes there are.
        mtime_ns: Time of last change; 0 for bytes in memory.
        head: The first bytes, up to `HEAD_BYTES`.
    """

    def __init__(self, name: str, *, path: Path | None = None, data: bytes = b"") -> None:
        self.name = name
        self.path = path
        self._data = data
        self.size_bytes = len(data)
        self.mtime_ns = 0
        if path is not None:
            status = path.stat()
            self.size_bytes, self.mtime_ns = status.st_size, status.st_mtime_ns
        with self.open() as stream:
            self.head = stream.read(HEAD_BYTES)

    def open(self) -> BinaryIO:
        """Open the bytes for reading; the caller closes."""
        return io.BytesIO(self._data) if self.path is None else self.path.open("rb")

    def read_bytes(self, limit_bytes: int) -> bytes:
        """All bytes.

        Raises:
            UserError: ``documents.too_big`` when there are more than `limit_bytes`.
        """
        self.require_size(limit_bytes)
        with self.open() as stream:
            return stream.read()

    def require_size(self, limit_bytes: int) -> None:
        """Refuse a file that is larger than its format is read at.

        Raises:
            UserError: ``documents.too_big``.
        """
        if self.size_bytes > limit_bytes:
            raise UserError(
                "documents.too_big",
                name=self.name,
                size=as_size(self.size_bytes),
                limit=as_size(limit_bytes),
            )

    def content_hash(self) -> str:
        """SHA-256 of the bytes, in hex."""
        # OpenSSL: with the first file, not with the start of the window.
        import hashlib

        digest = hashlib.sha256()
        with self.open() as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()


def open_source(path: Path) -> Source:
    """Check a file on disk and open it.

    Raises:
        UserError: It is missing, not a plain file, empty, or may not be read.
    """
    name = path.name or str(path)
    try:
        mode = path.stat().st_mode
        # Checked before opening: opening a pipe waits for a writer, a device never ends.
        if not stat.S_ISREG(mode):
            raise UserError("documents.not_a_file", name=name)
        source = Source(name, path=path)
    except OSError as error:
        raise as_user_error(error, path) from error
    if source.size_bytes == 0 and not source.head:
        raise UserError("documents.empty", name=name)
    return source


def as_user_error(error: OSError, path: Path) -> UserError:
    """The sentence for what the operating system said about a path."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if _REPLACED in str(path):
            # Of bytes that are no UTF-8 a desktop gives only that there was something.
            return UserError("documents.name_not_text", name=path.name)
        return UserError("documents.missing", path=str(path))
    if isinstance(error, PermissionError):
        return UserError("documents.no_permission", name=path.name, path=str(path))
    if error.errno == errno.ENAMETOOLONG:
        return UserError("documents.missing", path=str(path)[:200])
    reason = os.strerror(error.errno) if error.errno else str(error)
    return UserError("documents.unreadable", name=path.name, reason=reason, detail=repr(error))
