"""Kills the engine's process at random moments under the real window and sees what is left.

    .venv/bin/python tests/e2e/measure_worker_kills.py [N] [SEED]

Each time the window must stay, all words must stay, and after a restart the next question must be
answered. Prints a table and one line of JSON with the seconds from the kill to a ready engine, and
to the first word of the next answer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

# A package named like this folder may be installed, so `tests` itself is no way in.
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from PySide6.QtTest import QTest

from app.session import State
from engine.models.demo import demo_model_path

if TYPE_CHECKING:
    from tests.support.desk import Desk, open_desk
    from tests.support.measuring import load_average, offscreen, say
else:
    from support.desk import open_desk
    from support.measuring import load_average, offscreen, say

LONG = " ".join(f"Mark {at} on the line was {at % 7} knots from the seventh." for at in range(250))
# Each phase is hit somewhere within this long after it began.
WITHIN_S = {"start": 1.0, "load": 0.4, "prefill": 3.0, "decode": 2.5}


def main(count: int, seed: int) -> int:
    """Kill `count` times; 0 when nothing was lost."""
    chance = random.Random(seed)
    say(f"{'#':>3} {'phase':8} {'hit while':9} {'words':>5} {'ready s':>8} {'next s':>7}")
    rows: list[tuple[float, float]] = []
    failures: list[str] = []
    with offscreen() as application, open_desk(application) as desk:
        desk.load(demo_model_path())
        for at in range(count):
            phase = tuple(WITHIN_S)[at % len(WITHIN_S)]
            try:
                rows.append(_kill(desk, phase, chance, at))
            except AssertionError as error:
                failures.append(f"{at} {phase}: {error}")
                say(failures[-1])
                desk.engine.restart()
                desk.until_state(State.READY)
    ready, following = zip(*rows, strict=True)
    result = {
        "kills": count,
        "survived": len(rows),
        "failures": failures,
        "ready_worst_s": round(max(ready), 2),
        "ready_median_s": round(statistics.median(ready), 2),
        "next_word_worst_s": round(max(following), 2),
        "next_word_median_s": round(statistics.median(following), 2),
        "load_average": load_average(),
    }
    say(json.dumps(result))
    return 0 if len(rows) == count else 1


def _kill(desk: Desk, phase: str, chance: random.Random, at: int) -> tuple[float, float]:
    desk.open_chat(None)
    desk.view.restore_draft("")
    _limit(desk, 400)
    if phase in ("start", "load"):
        desk.engine.restart()
        desk.until_state(State.STARTING if phase == "start" else State.LOADING)
    else:
        desk.send(LONG if phase == "prefill" else "Tell me a long story about the sea.")
        desk.until_state(State.WRITING if phase == "decode" else State.READING)
    QTest.qWait(round(chance.uniform(0, WITHIN_S[phase]) * 1000))
    hit, pid = desk.engine.session.state, desk.engine.pid
    assert pid, "there is no worker to kill"
    shown = [message.text for message in desk.messages()]
    os.kill(pid, signal.SIGKILL)
    killed = time.perf_counter()
    desk.until_state(State.DIED)
    _check_words(desk, shown)
    desk.press("cardAction_restart")
    desk.until_state(State.READY, timeout_s=60)
    ready_s = time.perf_counter() - killed
    _limit(desk, 16)
    desk.open_chat(None)
    desk.send("What is the capital of France?")
    desk.until(lambda: len(desk.messages()) == 2 and desk.messages()[1].text, timeout_s=60)
    next_s = time.perf_counter() - killed
    desk.until(lambda: desk.chat.replying_in is None, "the end", timeout_s=120)
    words = sum(len(text.split()) for text in shown)
    say(f"{at:3} {phase:8} {hit:9} {words:5} {ready_s:8.2f} {next_s:7.2f}")
    return ready_s, next_s


def _check_words(desk: Desk, shown: list[str]) -> None:
    assert desk.desktop.window.isVisible(), "the window is gone"
    now = [message.text for message in desk.messages()]
    for before, after in zip(shown, now, strict=True):
        assert after.startswith(before), "words on the screen were lost"
    if now:
        kept = [message.text for message in desk.stored()]
        assert kept == now, "the disk holds other words than the screen"


def _limit(desk: Desk, max_tokens: int) -> None:
    generation = desk.desktop.settings.generation
    changed = msgspec.structs.replace(generation, max_tokens=max_tokens, temperature=0.0)
    desk.desktop.settings.set_generation(changed)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(numbers + [10, 1][len(numbers) :])))
