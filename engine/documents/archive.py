"""Zip containers, checked before anything is unpacked from them.

Entries are only ever read into memory, by their names in the archive: nothing is written anywhere,
so a name such as ``../../etc/passwd`` is a name and no more.
"""

from __future__ import annotations

import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lxml import etree

from engine.documents.limits import as_size
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_ENCRYPTED_FLAG = 0x1


class Archive:
    """An open zip whose entries, all together, are within the limits."""

    def __init__(self, name: str, file: zipfile.ZipFile) -> None:
        self._name = name
        self._file = file
        self._entries = {entry.filename: entry for entry in file.infolist() if not entry.is_dir()}

    @property
    def entries(self) -> dict[str, zipfile.ZipInfo]:
        """Files of the archive by name, in its own order."""
        return self._entries

    def read(self, name: str) -> bytes:
        """An entry's bytes; never more than its declared size, which was checked.

        Raises:
            UserError: ``documents.corrupt`` when it is missing or damaged.
        """
        try:
            return self._file.read(self._entries[name])
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            detail = f"{name}: {error!r}"
            raise UserError("documents.corrupt", name=self._name, detail=detail) from error

    def read_xml(self, name: str) -> etree._Element:
        """An entry parsed as XML.

        Raises:
            UserError: ``documents.corrupt`` when it is missing, damaged or no XML.
        """
        try:
            return parse_xml(self.read(name))
        except etree.XMLSyntaxError as error:
            detail = f"{name}: {error!r}"
            raise UserError("documents.corrupt", name=self._name, detail=detail) from error


def parse_xml(data: bytes) -> etree._Element:
    """Parse XML without entities, DTDs or network: nothing in it can reach out of it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(data, parser)


@contextmanager
def open_archive(source: Source, draft: Draft) -> Iterator[Archive]:
    """Open a zip after checking what it claims to hold.

    Raises:
        UserError: Damaged, encrypted, or more in it than a document may hold.
    """
    limits = draft.limits
    source.require_size(limits.file_bytes)
    with source.open() as stream:
        try:
            file = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise UserError("documents.corrupt", name=source.name, detail=repr(error)) from error
        with file:
            entries = file.infolist()
            if len(entries) > limits.entries:
                raise UserError("documents.too_many_files", name=source.name, limit=limits.entries)
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > limits.unpacked_bytes:
                raise UserError(
                    "documents.unpacks_too_big",
                    name=source.name,
                    size=as_size(unpacked),
                    limit=as_size(limits.unpacked_bytes),
                )
            if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
                raise UserError("documents.protected", name=source.name)
            yield Archive(source.name, file)
