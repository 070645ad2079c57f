"""What real loads taught: a backend's own memory and its scratch pool, per card and build.

llama.cpp's account leaves out the CUDA context and the pools that grow while a prompt is read.
Both are the same for every load on one card with one build, so each load corrects the next plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine import paths

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1024 * 1024
_FILE = "plan-corrections.json"
# First guesses, until a load has been seen: measured on an H100 with CUDA 13.
RUNTIME_BYTES = {"CUDA": 526 * _MIB, "ROCm": 400 * _MIB, "Vulkan": 128 * _MIB}
POOL_BYTES = {"CUDA": 192 * _MIB, "ROCm": 192 * _MIB}
# A new figure counts half: a load beside a busy desktop must not overturn the others.
_WEIGHT = 0.5


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What one card takes with one build. None where it was not seen yet."""

    runtime_bytes: int | None = None
    pool_bytes: int | None = None
    loads: int = 0


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content.

    Attributes:
        cards: Build and card id -> correction.
        read_bytes_per_s: Speed at which models were loaded; None before the first.
    """

    version: int = 1
    cards: dict[str, Correction] = {}
    read_bytes_per_s: float | None = None


class Corrections:
    """The learned figures, kept in the data folder. Used by one thread at a time."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or paths.data_dir() / _FILE
        self._stored = _read(self._path)

    @property
    def read_bytes_per_s(self) -> float | None:
        """How fast models are loaded here; None before the first load."""
        return self._stored.read_bytes_per_s

    def runtime_bytes(self, card: str, build: str, backend: str) -> int:
        """The backend's own memory on a card."""
        known = self._stored.cards.get(_key(card, build), Correction()).runtime_bytes
        return RUNTIME_BYTES.get(backend, 0) if known is None else known

    def pool_bytes(self, card: str, build: str, backend: str) -> int:
        """Scratch memory that the backend takes while it computes."""
        known = self._stored.cards.get(_key(card, build), Correction()).pool_bytes
        return POOL_BYTES.get(backend, 0) if known is None else known

    def learn_runtime(self, card: str, build: str, runtime_bytes: int) -> None:
        """Take in what a card held beyond llama.cpp's account right after a load."""
        old = self._stored.cards.get(_key(card, build), Correction())
        self._keep(
            card,
            build,
            msgspec.structs.replace(
                old,
                runtime_bytes=_blended(old.runtime_bytes, runtime_bytes),
                loads=old.loads + 1,
            ),
        )

    def learn_pool(self, card: str, build: str, pool_bytes: int) -> None:
        """Take in what a card took more after a full-depth prefill; the largest seen counts."""
        old = self._stored.cards.get(_key(card, build), Correction())
        # A pool never shrinks, and running out of it aborts: keep the maximum.
        largest = max(pool_bytes, old.pool_bytes or 0, 0)
        self._keep(card, build, msgspec.structs.replace(old, pool_bytes=largest))

    def learn_speed(self, read_bytes: int, seconds: float) -> None:
        """Take in how long a load took."""
        if seconds > 0 and read_bytes > 0:
            old, new = self._stored.read_bytes_per_s, read_bytes / seconds
            speed = new if old is None else (old + new) / 2
            self._write(msgspec.structs.replace(self._stored, read_bytes_per_s=speed))

    def _keep(self, card: str, build: str, correction: Correction) -> None:
        cards = {**self._stored.cards, _key(card, build): correction}
        self._write(msgspec.structs.replace(self._stored, cards=cards))

    def _write(self, stored: Stored) -> None:
        self._stored = stored
        partial = self._path.with_suffix(".part")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(stored), indent=2))
        partial.replace(self._path)


def _key(card: str, build: str) -> str:
    return f"{build} {card}"


def _blended(old: int | None, new: int) -> int:
    new = max(0, new)
    return new if old is None else round(old * (1 - _WEIGHT) + new * _WEIGHT)


def _read(path: Path) -> Stored:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stored)
    except (OSError, msgspec.DecodeError):
        # Missing or damaged: the first guesses serve until the next load.
        return Stored()
