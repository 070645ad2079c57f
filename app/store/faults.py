"""Turns SQLite's and the system's errors into sentences; what is a bug stays a bug."""

from __future__ import annotations

import errno
import sqlite3

from engine.errors import UserError

_SQLITE_CODES = {
    sqlite3.SQLITE_FULL: "stores.disk_full",
    sqlite3.SQLITE_READONLY: "stores.read_only",
    sqlite3.SQLITE_PERM: "stores.read_only",
    sqlite3.SQLITE_CANTOPEN: "stores.cannot_open",
    sqlite3.SQLITE_CORRUPT: "stores.damage_found",
    sqlite3.SQLITE_NOTADB: "stores.damage_found",
    sqlite3.SQLITE_IOERR: "stores.disk_error",
    sqlite3.SQLITE_BUSY: "stores.busy",
    sqlite3.SQLITE_LOCKED: "stores.busy",
}
_SYSTEM_CODES = {
    errno.ENOSPC: "stores.disk_full",
    errno.EDQUOT: "stores.disk_full",
    errno.EROFS: "stores.read_only",
    errno.EACCES: "stores.read_only",
    errno.EPERM: "stores.read_only",
}


def sentence_for(error: sqlite3.Error, path: object) -> UserError | None:
    """What the user can do about an error of the database, or None where it is a bug."""
    # The low byte is the primary code; the rest says more precisely which read or write it was.
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    code = _SQLITE_CODES.get(primary)
    return UserError(code, detail=str(error), path=str(path)) if code else None


def sentence_for_system(error: OSError, path: object) -> UserError:
    """What the user can do about a file that cannot be read or written."""
    code = _SYSTEM_CODES.get(error.errno or 0, "stores.disk_error")
    return UserError(code, detail=str(error), path=str(path))


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken or no database at all."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
