"""Kill -9 of the app while replies stream: all but the last second is there afterwards."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from app.store import ChatStore

if TYPE_CHECKING:
    from pathlib import Path

_KILLS = int(os.environ.get("LEADLINE_KILLS", "6"))

# Writes numbered words into one reply after the other, and tells each word with its time.
_WRITE = """
import sys, time
from pathlib import Path
from app.store import ChatStore

store = ChatStore(Path(sys.argv[1]))
chat = store.chats.create(title="killed").wait()
parent_id, number = None, 0
print("chat", chat.id, time.time(), flush=True)
while True:
    question = store.messages.add(chat.id, parent_id, "user", f"question {number}").wait()
    print("question", question.id, time.time(), flush=True)
    reply = store.messages.add(chat.id, question.id, "assistant", state="streaming").wait()
    parent_id, stream = reply.id, store.messages.stream(reply)
    for word in range(150):
        stream.append(f"w{number} ")
        print("word", number, time.time(), flush=True)
        number += 1
        time.sleep(0.004)
    stream.finish()
"""


@pytest.mark.parametrize("seed", range(_KILLS))
def test_only_the_last_second_is_lost(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "chats.sqlite3"
    told = _told_until_killed(path, random.Random(seed).uniform(0.2, 2.2))
    killed_at = told[-1][2]
    store = ChatStore(path)
    try:
        assert store.problems == ()
        chat_id = next(number for what, number, _ in told if what == "chat")
        contents = store.messages.contents(chat_id)
        assert contents is not None
        saved = "".join(one.text for one in contents.messages if one.role == "assistant").split()
        assert saved == [f"w{number}" for number in range(len(saved))]
        # A machine that stands still now and then saves as much later.
        late_s = max(later[2] - sooner[2] for sooner, later in itertools.pairwise(told))
        until_s = killed_at - 1.0 - late_s
        due = [number for what, number, at_s in told if what == "word" and at_s < until_s]
        assert len(saved) >= len(due)
        questions = {number for what, number, _ in told if what == "question"}
        assert questions <= {one.id for one in contents.messages}
        assert all(one.state in ("complete", "interrupted") for one in contents.messages)
        assert store.chats.create().wait()
    finally:
        store.close()


def _told_until_killed(path: Path, after_s: float) -> list[tuple[str, int, float]]:
    command = [sys.executable, "-c", _WRITE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)
        lines = [first, *process.stdout.read().splitlines()]
    # The last line may be cut off in the middle.
    parts = [line.split() for line in lines[:-1]]
    return [(what, int(number), float(at_s)) for what, number, at_s in parts]
