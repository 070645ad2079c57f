"""Source trees: a folder, or a zip of one, as one document of many files.

Text files are read as runs of lines under their paths; what the ignore rules name, what is no text
and what is a link is left out and counted.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from engine.documents.archive import open_archive
from engine.documents.detect import looks_binary
from engine.documents.encoding import decode_text
from engine.documents.formats.text import add_line_pages
from engine.documents.ignore import IgnoreRules
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_SAMPLE_BYTES = 8192
_UP = re.compile(r"(^|/)\.\.?(?=/|$)")


def read_archive(source: Source, draft: Draft) -> None:
    """Read a zip's text files. Zips within it are left out.

    Raises:
        UserError: Damaged, encrypted, too big, or nothing in it to read.
    """
    with open_archive(source, draft) as archive:
        sizes = {name: entry.file_size for name, entry in archive.entries.items()}
        paths = {name: _as_path(name) for name in sizes}
        rules = IgnoreRules()
        for name, path in paths.items():
            if PurePosixPath(path).name == ".gitignore":
                text = archive.read(name).decode("utf-8", errors="replace")
                rules.add(text, _folder_of(path))
        tree = _Tree(draft, rules)
        for name, path in sorted(paths.items(), key=lambda item: item[1]):
            tree.add(path, sizes[name], partial(archive.read, name))
    tree.finish()


def read_folder(folder: Path, draft: Draft) -> tuple[str, int, int]:
    """Read a folder's text files; links are not followed.

    Returns:
        A hash over the paths and contents read, their size in bytes, the latest change in ns.

    Raises:
        UserError: Too many files, or nothing in it to read.
    """
    rules = IgnoreRules()
    files = sorted(_files(folder, rules, draft))
    tree = _Tree(draft, rules, total=len(files))
    changed_ns = 0
    for path in files:
        status = (folder / path).lstat()
        if tree.add(path, status.st_size, (folder / path).read_bytes):
            changed_ns = max(changed_ns, status.st_mtime_ns)
    tree.finish()
    return tree.digest.hexdigest(), tree.size_bytes, changed_ns


class _Tree:
    """Adds files to a draft and keeps account of what was left out.

    Attributes:
        digest: Hash over the paths and contents that were read.
        size_bytes: Bytes that were read.
    """

    def __init__(self, draft: Draft, rules: IgnoreRules, total: int = 0) -> None:
        self.digest = hashlib.sha256()
        self.size_bytes = 0
        self._draft = draft
        self._rules = rules
        self._total = total
        self._seen = 0
        self._ignored = 0
        self._unread: list[str] = []

    def add(self, path: str, size_bytes: int, read: Callable[[], bytes]) -> bool:
        """Add one file if it is one to read; return whether it was."""
        self._draft.step(self._seen, self._total)
        self._seen += 1
        if self._rules.ignores(path):
            self._ignored += 1
            return False
        data = self._content(path, size_bytes, read)
        if data is None:
            return False
        self.digest.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
        self.digest.update(data)
        self.size_bytes += len(data)
        text = decode_text(data, self._draft)
        number = len(self._draft.pages) + 1
        add_line_pages(text, self._draft, prefix=f"{path} ", mark="file")
        if len(self._draft.pages) >= number:
            self._draft.add_outline(path, number, path.count("/"))
        return True

    def finish(self) -> None:
        """Say what was left out, or that there was nothing to read."""
        if not self._draft.pages:
            raise UserError("documents.nothing_to_read", name=self._draft.name)
        if self._unread:
            names = ", ".join(self._unread[:3]) + (", …" if len(self._unread) > 3 else "")
            self._draft.note("documents.note_unread_files", count=len(self._unread), names=names)
        if self._ignored:
            self._draft.note("documents.note_ignored_files", count=self._ignored)

    def _content(self, path: str, size_bytes: int, read: Callable[[], bytes]) -> bytes | None:
        """A text file's bytes; None, and an entry in the account, for anything else."""
        data = b""
        if size_bytes <= self._draft.limits.text_file_bytes:
            try:
                data = read()
            except OSError:
                self._unread.append(path)
                return None
            if not data.strip():
                return None
        if not data or looks_binary(data[:_SAMPLE_BYTES]) or data.startswith(b"%PDF-"):
            self._unread.append(path)
            return None
        return data


def _files(folder: Path, rules: IgnoreRules, draft: Draft) -> Iterable[str]:
    """Paths below `folder`, with the rules of its `.gitignore` files added on the way."""
    count = 0
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder).as_posix()
        prefix = "" if here == "." else f"{here}/"
        if ".gitignore" in names:
            text = (Path(place) / ".gitignore").read_text("utf-8", errors="replace")
            rules.add(text, prefix.rstrip("/"))
        # Pruned here, so that what is ignored is not even walked through.
        folders[:] = sorted(name for name in folders if not rules.ignores(f"{prefix}{name}/x"))
        draft.step(count, 0)
        for name in names:
            path = Path(place) / name
            if path.is_symlink() or not path.is_file():
                continue
            count += 1
            if count > draft.limits.entries:
                raise UserError(
                    "documents.too_many_files", name=draft.name, limit=draft.limits.entries
                )
            yield f"{prefix}{name}"


def _as_path(name: str) -> str:
    """An entry's name as a path that leads nowhere but into the tree."""
    path = _UP.sub(r"\1", name.replace("\\", "/"))
    return "/".join(part for part in path.split("/") if part) or "file"


def _folder_of(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent
