"""Kills the application at random moments while it streams and counts what the disk has lost.

    .venv/bin/python tests/e2e/measure_app_kills.py [N] [SEED]

The application runs as a child on a home that is kept over all kills, so chats pile up. It notes
each piece of a reply as it arrives; after the kill the store is opened and compared with the notes.
Prints a table and one line of JSON: the seconds of text that were lost, at worst and at the median.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

# A package named like this folder may be installed, so `tests` itself is no way in.
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil

from app.store.chat_store import ChatStore
from engine.models.demo import demo_model_path
from engine.worker.protocol import Delta

if TYPE_CHECKING:
    from app.store.rows import Message
    from tests.support.desk import open_desk
    from tests.support.measuring import load_average, say
else:
    from support.desk import open_desk
    from support.measuring import load_average, say

WITHIN_S = 4.0
QUESTION = "Tell me a long story about the sea, number {at}."


def main(count: int, seed: int) -> int:
    """Kill `count` times; 0 when no message and no more than a second was lost."""
    chance = random.Random(seed)
    lost: list[float] = []
    say(f"{'#':>3} {'after s':>7} {'written':>7} {'kept':>7} {'lost s':>6} {'messages':>8}")
    with tempfile.TemporaryDirectory() as folder:
        home, notes = Path(folder) / "home", Path(folder) / "notes"
        for at in range(count):
            after_s = chance.uniform(0, WITHIN_S)
            _run_and_kill(home, notes, at, after_s)
            pieces = [json.loads(line) for line in notes.read_text().splitlines()]
            messages = _messages(home)
            assert len(messages) == 2 * (at + 1), f"{len(messages)} messages after {at + 1} kills"
            assert messages[-2].text == QUESTION.format(at=at)
            # A short story may be over before the kill.
            assert messages[-1].state in ("interrupted", "complete")
            kept = len(messages[-1].text)
            lost.append(_lost_s(pieces, kept))
            written = sum(len(piece["text"]) for piece in pieces)
            say(f"{at:3} {after_s:7.2f} {written:7} {kept:7} {lost[-1]:6.2f} {len(messages):8}")
    result = {
        "kills": count,
        "lost_worst_s": round(max(lost), 2),
        "lost_median_s": round(statistics.median(lost), 2),
        "load_average": load_average(),
    }
    say(json.dumps(result))
    return 0 if max(lost) <= 1.0 else 1


def _lost_s(pieces: list[dict[str, float | str]], kept: int) -> float:
    """Seconds from the first piece that is not on the disk to the last one that arrived."""
    length = 0
    for piece in pieces:
        length += len(str(piece["text"]))
        if length > kept:
            return float(pieces[-1]["at_s"]) - float(piece["at_s"])
    return 0.0


def _messages(home: Path) -> list[Message]:
    store = ChatStore(home / "data" / "chats.sqlite3")
    try:
        chats = sorted(store.chats.all(), key=lambda chat: chat.id)
        contents = [store.messages.contents(chat.id) for chat in chats]
        return [message for one in contents if one for message in one.messages]
    finally:
        store.close()


def _run_and_kill(home: Path, notes: Path, at: int, after_s: float) -> None:
    notes.write_text("")
    command = [sys.executable, __file__, "--stream", str(notes), str(at)]
    environment = {**os.environ, "LEADLINE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    child = subprocess.Popen(command, env=environment)
    until = time.monotonic() + 120
    while not notes.read_text():
        assert child.poll() is None, "the application ended by itself"
        assert time.monotonic() < until, "nothing was written for two minutes"
        time.sleep(0.02)
    workers = psutil.Process(child.pid).children()
    time.sleep(after_s)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "the engine outlived the application"


def stream(notes: Path, at: int) -> None:
    """The child: ask in a new chat and note each piece of the reply."""
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    with notes.open("a", buffering=1) as file, open_desk(QApplication([])) as desk:

        def note(event: object) -> None:
            if isinstance(event, Delta):
                file.write(json.dumps({"at_s": time.monotonic(), "text": event.text}) + "\n")

        desk.load(demo_model_path())
        desk.engine.reply_event.connect(note)
        desk.send(QUESTION.format(at=at))
        while True:
            QTest.qWait(1000)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stream"]:
        stream(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        sys.exit(main(*(numbers + [10, 1][len(numbers) :])))
