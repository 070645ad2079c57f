"""Looks a chat database through for damage while the rest of the application starts.

The whole file is read for that: 40 ms for 30 MiB, during which the opening would stand still.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from app.store.database import address_to_read, damage_in, wants_check

if TYPE_CHECKING:
    from pathlib import Path

# Below this size a look takes less than a millisecond: a thread would be no help.
_WORTH_BYTES: Final = 1024**2


class EarlyCheck:
    """Owns the thread that looks; SQLite lets the interpreter go on meanwhile.

    All that it can say is that nothing is wrong. Otherwise, and where it could not look, the
    opening looks again, and tells what there is to tell.
    """

    def __init__(self, path: Path) -> None:
        """Begin, where the file is large enough for that and small enough to be looked through."""
        self._path = path
        self._is_sound = False
        self._thread: threading.Thread | None = None
        with contextlib.suppress(OSError):
            if path.stat().st_size > _WORTH_BYTES and wants_check(path):
                self._thread = threading.Thread(target=self._look, name="chat-check", daemon=True)
                self._thread.start()

    def is_sound(self) -> bool:
        """Whether the file was looked through and is in order; waits until that is known."""
        if self._thread is not None:
            self._thread.join()
        return self._is_sound

    def _look(self) -> None:
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(address_to_read(self._path), uri=True)) as looked,
        ):
            self._is_sound = not damage_in(looked)
