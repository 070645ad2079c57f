"""Writes files whole or not at all: a full disk or a crash leaves what was there before."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME_CHARACTERS = 48


def write_whole(path: Path, data: bytes, *, is_private: bool = False) -> None:
    """Replace the content of a file, or make one.

    Args:
        path: The file; of a link, what it points to. A pipe or the like is written to as it is.
        data: Its content.
        is_private: Whether nobody but its owner may read it.

    Raises:
        OSError: It could not be written, and is as it was.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    beside = target.with_name(f".{target.name[:_NAME_CHARACTERS]}.{os.getpid()}.part")
    try:
        with open(
            beside, "wb", opener=partial(os.open, mode=0o600 if is_private else 0o666)
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
