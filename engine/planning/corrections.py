"""What real loads taught: a backend's own memory and its scratch pool, per card and build.

llama.cpp's account leaves out the CUDA context and the pools that grow while a prompt is read.
Both are the same for every load on one card with one build and way of splitting, so each load
corrects the next plan.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from engine import paths

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1024 * 1024
_FILE = "plan-corrections.json"
# First guesses, until a load has been seen: measured on an H100 with CUDA 13, whose pools took 49
# to 65 MiB per device in a layer split and 69 to 99 in a tensor split, by the micro-batch.
RUNTIME_BYTES = {"CUDA": 534 * _MIB, "ROCm": 400 * _MIB, "Vulkan": 128 * _MIB}
POOL_BYTES = {"CUDA": 66 * _MIB, "ROCm": 66 * _MIB}
TENSOR_POOL_BYTES = {"CUDA": 100 * _MIB, "ROCm": 100 * _MIB}
# Without NCCL, ggml-cuda keeps a buffer on each device for the sums of a tensor split.
_SUMS_BYTES = {"CUDA": 32 * _MIB, "ROCm": 32 * _MIB}
# A reading beyond these is no backend's own memory: another program came or went meanwhile, or
# the first reading was taken with the engine's context in place.
_LEAST_RUNTIME_BYTES = 128 * _MIB
_MOST_BYTES = 2048 * _MIB
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
        cards: Build, card id and ``tensor`` in a tensor split -> correction.
        read_bytes_per_s: Speed at which models were loaded; None before the first.
    """

    version: int = 1
    cards: dict[str, Correction] = {}
    read_bytes_per_s: float | None = None


class Corrections:
    """The learned figures, kept in the data folder. Used by one thread at a time."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or paths.data_dir() / _FILE
        self._stamp = _stamp(self._path)
        self._stored = _read(self._path)

    def refresh(self) -> None:
        """Take in what another process learned meanwhile."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._stored = _read(self._path)

    @property
    def read_bytes_per_s(self) -> float | None:
        """How fast models are loaded here; None before the first load."""
        return self._stored.read_bytes_per_s

    def runtime_bytes(
        self, card: str, build: str, backend: str, *, tensor: bool = False, devices: int = 1
    ) -> int:
        """The backend's own memory on a card.

        Args:
            card: The card's id.
            build: The build's id.
            backend: The backend's name, for a first guess.
            tensor: In a tensor split.
            devices: How many devices the card stands for.
        """
        known = self._of(card, build, tensor=tensor).runtime_bytes
        if known is not None and _is_runtime(known):
            return known
        sums = devices * _SUMS_BYTES.get(backend, 0) if tensor else 0
        return RUNTIME_BYTES.get(backend, 0) + sums

    def pool_bytes(self, card: str, build: str, backend: str, *, tensor: bool = False) -> int:
        """Scratch memory that the backend takes on one device while it computes."""
        known = self._of(card, build, tensor=tensor).pool_bytes
        guesses = TENSOR_POOL_BYTES if tensor else POOL_BYTES
        return known if known is not None and known <= _MOST_BYTES else guesses.get(backend, 0)

    def learn_runtime(
        self, card: str, build: str, runtime_bytes: int, *, tensor: bool = False
    ) -> None:
        """Take in what a card held beyond llama.cpp's account right after a load."""
        if not _is_runtime(runtime_bytes):
            return
        old = self._of(card, build, tensor=tensor)
        blended = _blended(old.runtime_bytes, runtime_bytes)
        new = msgspec.structs.replace(old, runtime_bytes=blended, loads=old.loads + 1)
        self._keep(card, build, new, tensor=tensor)

    def learn_pool(self, card: str, build: str, pool_bytes: int, *, tensor: bool = False) -> None:
        """Take in what a device took more after a full-depth prefill; the largest seen counts."""
        if not 0 < pool_bytes <= _MOST_BYTES:
            return
        old = self._of(card, build, tensor=tensor)
        # A pool never shrinks, and running out of it aborts: keep the maximum.
        largest = max(pool_bytes, old.pool_bytes or 0)
        self._keep(card, build, msgspec.structs.replace(old, pool_bytes=largest), tensor=tensor)

    def learn_speed(self, read_bytes: int, seconds: float) -> None:
        """Take in how long a load took."""
        if seconds > 0 and read_bytes > 0:
            old, new = self._stored.read_bytes_per_s, read_bytes / seconds
            speed = new if old is None else (old + new) / 2
            self._write(msgspec.structs.replace(self._stored, read_bytes_per_s=speed))

    def _of(self, card: str, build: str, *, tensor: bool) -> Correction:
        return self._stored.cards.get(_key(card, build, tensor=tensor), Correction())

    def _keep(self, card: str, build: str, correction: Correction, *, tensor: bool) -> None:
        cards = {**self._stored.cards, _key(card, build, tensor=tensor): correction}
        self._write(msgspec.structs.replace(self._stored, cards=cards))

    def _write(self, stored: Stored) -> None:
        """Keep it. Where the disk is full or read-only it serves this process alone."""
        self._stored = stored
        partial = self._path.with_suffix(f".{os.getpid()}.part")
        with contextlib.suppress(OSError):
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(stored), indent=2))
            partial.replace(self._path)
            self._stamp = _stamp(self._path)


def _key(card: str, build: str, *, tensor: bool) -> str:
    return f"{build} {card} tensor" if tensor else f"{build} {card}"


def _is_runtime(size: int) -> bool:
    return _LEAST_RUNTIME_BYTES <= size <= _MOST_BYTES


def _blended(old: int | None, new: int) -> int:
    if old is None or not _is_runtime(old):
        return new
    return round(old * (1 - _WEIGHT) + new * _WEIGHT)


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _read(path: Path) -> Stored:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stored)
    except (OSError, msgspec.DecodeError):
        # Missing or damaged: the first guesses serve until the next load.
        return Stored()
