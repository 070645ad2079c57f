"""Where the notes of documents that are read in parts are kept, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.documents.parts.kept import KeptNotes
from engine.paths import data_dir

if TYPE_CHECKING:
    from pathlib import Path

COMMAND_LINE: Final = "command line"
"""Owns the notes that no chat waits for."""


def kept_notes(owner: str) -> KeptNotes:
    """Notes whose question has no answer yet.

    Args:
        owner: The id of the chat that asks, or `COMMAND_LINE`.
    """
    return KeptNotes(readings_dir(), owner)


def readings_dir() -> Path:
    """The folder of the notes; perhaps it is not there yet."""
    return data_dir() / "readings"
