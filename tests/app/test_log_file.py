"""The log keeps what was said last, and not more than it may."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app.window.log_file import LogFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_log_begins_anew_and_two_older_ones_are_kept(tmp_path: Path) -> None:
    handler = LogFile(tmp_path / "a.log", max_bytes=40)
    for number in range(12):
        handler.emit(
            logging.LogRecord("x", logging.INFO, "f", 1, f"message {number:02} ......", (), None)
        )
    handler.close()
    texts = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(texts) == ["a.log", "a.log.1", "a.log.2"]
    assert texts["a.log.1"].split("\n")[0].startswith("message 09")
    assert texts["a.log.2"].split("\n")[0].startswith("message 06")
    assert texts["a.log"] == ""


def test_a_log_is_continued(tmp_path: Path) -> None:
    for word in ("one", "two"):
        handler = LogFile(tmp_path / "a.log")
        handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, word, (), None))
        handler.close()
    assert (tmp_path / "a.log").read_text(encoding="utf-8") == "one\ntwo\n"
