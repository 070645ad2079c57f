"""Notes on parts, kept on the disk until their question is answered.

Reading may be cancelled, the engine may die, the machine may lose power: what was read is there
when the question is asked again. One small file per part, named by all that decided the notes; it
goes with the last of those that asked for them.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from engine.worker.protocol import Prompt, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from pathlib import Path

_KEPT_DAYS = 30


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a request gave. Fields are only ever added.

    Attributes:
        text: The notes.
        seconds: From the start of the request to its end.
        is_cut: Whether it ended at its limit of tokens.
        owners: Who waits for an answer from it.
    """

    text: str
    usage: Usage
    seconds: float
    is_cut: bool = False
    owners: tuple[str, ...] = ()


class KeptNotes:
    """A folder of notes. Several processes may share it; calls take a moment.

    Args:
        folder: Where they are; made when there is something to keep.
        owner: For whom they are kept. Anybody's are read: equal questions have equal notes.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._owner = owner

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
        there = self.get(key)
        self._keep(key, written, (*(there.owners if there else ()), self._owner))

    def forget(self, keys: Iterable[str]) -> None:
        """The question is answered: its notes are kept with the answer."""
        for key in keys:
            self._leave_to(key, lambda owner: owner != self._owner)

    def forget_gone(self, living: Container[str]) -> None:
        """Remove what was read for owners that are gone, and for nobody else."""
        for path in self._files():
            if path.suffix == ".json":
                self._leave_to(path.stem, living.__contains__)

    def forget_old(self) -> None:
        """Remove what nobody came back for."""
        limit = time.time() - _KEPT_DAYS * 86_400
        for path in self._files():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return list(self._folder.iterdir())
        return []

    def _keep(self, key: str, written: Written, owners: Iterable[str]) -> None:
        kept = msgspec.structs.replace(written, owners=tuple(dict.fromkeys(owners)))
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            # A crash in the middle must not leave half a file under the name.
            beside = self._folder / f"{key}.{os.getpid()}.part"
            beside.write_bytes(msgspec.json.encode(kept))
            beside.replace(self._folder / f"{key}.json")

    def _leave_to(self, key: str, stays: Callable[[str], bool]) -> None:
        there = self.get(key)
        before = there.owners if there is not None else ()
        owners = tuple(owner for owner in before if stays(owner))
        if there is None or not owners:
            with contextlib.suppress(OSError):
                (self._folder / f"{key}.json").unlink(missing_ok=True)
        elif owners != before:
            self._keep(key, there, owners)
