"""The log of the window process, in a file that is kept small."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_KEPT_FILES: Final = 2


class LogFile(logging.FileHandler):
    """Appends to a file; a full one is kept beside the two before it, as ``<name>.1`` and so on.

    `logging.handlers` has one like it, and brings sockets, pickle and queues into every start.
    """

    def __init__(self, path: Path, max_bytes: int = 2_000_000) -> None:
        super().__init__(path, encoding="utf-8")
        self._max_bytes = max_bytes
        kept = [path.with_name(f"{path.name}.{number}") for number in range(1, _KEPT_FILES + 1)]
        self._files = [path, *kept]

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; the handler's lock is held."""
        super().emit(record)
        if self.stream is None:
            # Closed with `logging.shutdown`.
            return
        try:
            if self.stream.tell() >= self._max_bytes:
                self.stream.close()
                for newer, older in reversed([*pairwise(self._files)]):
                    if newer.exists():
                        newer.replace(older)
                self.stream = self._open()
        except OSError:
            self.handleError(record)
