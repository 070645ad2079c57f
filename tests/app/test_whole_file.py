"""Files that are written whole: a disk without room leaves what was there before."""

from __future__ import annotations

import os
import resource
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.store.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOM_BYTES = 4096


@contextmanager
def little_room() -> Iterator[None]:
    """Files of this process can have 4,096 bytes; writing more fails as on a full disk.

    For a moment only: it holds for the file too into which the outcome of the tests may go.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    write_whole(path, b"old")
    with little_room(), pytest.raises(OSError, match="too large"):
        write_whole(path, bytes(_ROOM_BYTES + 1))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["chat.json"]


def test_a_link_stays_one_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    target, link, pipe = (tmp_path / name for name in ("there.md", "link.md", "pipe"))
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    os.mkfifo(pipe)
    writing = threading.Thread(target=write_whole, args=(pipe, b"words"))
    writing.start()
    assert pipe.read_bytes() == b"words"
    writing.join()


def test_only_what_is_private_is(tmp_path: Path) -> None:
    write_whole(tmp_path / "mine", b"x", is_private=True)
    write_whole(tmp_path / "ours", b"x")
    assert (tmp_path / "mine").stat().st_mode & 0o077 == 0
    assert (tmp_path / "ours").stat().st_mode & 0o400
