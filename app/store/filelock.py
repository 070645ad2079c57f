"""One process per data folder: a lock that the system takes away from a process that died."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from app.store.faults import sentence_for_system
from engine.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Held from construction until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            UserError: ``stores.in_use`` when another process holds it, or why the file cannot be
                made.
        """
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise sentence_for_system(error, path) from error
        try:
            _try_lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise UserError("stores.in_use", detail=str(error), path=str(path.parent)) from error

    def release(self) -> None:
        """Let another process in. The file stays: removing it would race with that process."""
        os.close(self._descriptor)
