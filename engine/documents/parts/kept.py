"""Notes on parts, kept on the disk until their question is answered.

Reading may be cancelled, the engine may die, the machine may lose power: what was read is there
when the question is asked again. One small file per part, named by all that decided the notes.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from engine.worker.protocol import Prompt, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_KEPT_DAYS = 30


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a request gave. Fields are only ever added.

    Attributes:
        text: The notes.
        seconds: From the start of the request to its end.
        is_cut: Whether it ended at its limit of tokens.
    """

    text: str
    usage: Usage
    seconds: float
    is_cut: bool = False


class KeptNotes:
    """A folder of notes. Several processes may share it; calls take a moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def key(model_id: str, system_prompt: str, prompt: Prompt, note_tokens: int) -> str:
        """Names the notes of a request: equal arguments would give notes as good."""
        decided = (model_id, system_prompt, prompt, note_tokens)
        # OpenSSL: with the first reading, not with the start of the window.
        import hashlib

        return hashlib.sha256(msgspec.msgpack.encode(decided)).hexdigest()

    def get(self, key: str) -> Written | None:
        """What was kept, or None."""
        try:
            return msgspec.json.decode((self._folder / f"{key}.json").read_bytes(), type=Written)
        except (OSError, msgspec.DecodeError):
            return None

    def put(self, key: str, written: Written) -> None:
        """Keep it. Where the disk is full or read-only the reading goes on all the same."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            # A crash in the middle must not leave half a file under the name.
            beside = self._folder / f"{key}.{os.getpid()}.part"
            beside.write_bytes(msgspec.json.encode(written))
            beside.replace(self._folder / f"{key}.json")

    def forget(self, keys: Iterable[str]) -> None:
        """The question is answered: its notes are kept with the answer."""
        for key in keys:
            with contextlib.suppress(OSError):
                (self._folder / f"{key}.json").unlink(missing_ok=True)

    def forget_old(self) -> None:
        """Remove what nobody came back for."""
        limit = time.time() - _KEPT_DAYS * 86_400
        with contextlib.suppress(OSError):
            for path in list(self._folder.iterdir()):
                if path.stat().st_mtime < limit:
                    path.unlink(missing_ok=True)
