"""Measures the chat: `bench_chat.py stream [seconds] [tokens before]` or `bench_chat.py open`.

``stream`` feeds 500 tokens a second into a reply that is already so many tokens long and says how
late a 2 ms heartbeat came (wall clock, which other programs disturb) and how much processor time
the main thread took between two beats (which they do not). ``open`` shows 2,000 messages, scrolls
and searches them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import gallery_chat as gallery  # type: ignore[import-not-found]  # beside this script
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from widgets import theme
from widgets.chat.chat_view import ChatView

RATE = 500
TEXT = gallery.RICH + "\n" + gallery.LEASE + "\nLonger prose, with several sentences in it. " * 9
TOKENS = [TEXT[start : start + 4] for start in range(0, len(TEXT), 4)]


class Heart:
    """Notes how late each beat is and what the main thread did since the last, in milliseconds."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.busy: list[float] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(2)
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def _beat(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        self.late.append((wall - self._wall) * 1e3 - 2)
        self.busy.append((cpu - self._cpu) * 1e3)
        self._wall, self._cpu = wall, cpu


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def summary(values: list[float], limit: float) -> str:
    ordered = sorted(values)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    over = sum(value > limit for value in ordered)
    return (
        f"median {middle:.1f}, p99 {high:.1f}, worst {ordered[-1]:.1f} ms; "
        f"{over} of {len(ordered)} over {limit:.0f} ms"
    )


def stream(app: QApplication, view: ChatView, seconds: float, before: int) -> None:
    text = "".join(TOKENS[n % len(TOKENS)] for n in range(before))
    view.set_messages([gallery.user("go"), gallery.reply(text, state="streaming")])
    gallery.wait(1500)
    sent = 0
    started, cpu = time.perf_counter(), time.process_time()

    def feed() -> None:
        nonlocal sent
        while sent < (time.perf_counter() - started) * RATE:
            view.stream_delta("a1", TOKENS[(before + sent) % len(TOKENS)])
            sent += 1

    feeder = QTimer()
    feeder.setTimerType(Qt.TimerType.PreciseTimer)
    feeder.timeout.connect(feed)
    feeder.start(4)
    heart = Heart()
    QTimer.singleShot(round(seconds * 1000), app.quit)
    app.exec()
    wall = time.perf_counter() - started
    share = 100 * (time.process_time() - cpu) / wall
    say(f"{sent} tokens in {wall:.1f} s after {before}; processor {share:.0f} % of a core")
    say(f"heartbeat late:   {summary(heart.late, 50)}")
    say(f"main thread busy: {summary(heart.busy, 16)}")
    assert view.message_markdown("a1") == text + "".join(
        TOKENS[(before + n) % len(TOKENS)] for n in range(sent)
    )


def open_many(app: QApplication, view: ChatView) -> None:
    messages = []
    for n in range(1000):
        messages.append(gallery.user(f"Question {n}: what about clause {n}?", f"u{n}"))
        body = gallery.LEASE * (1 + n % 3) + gallery.RICH * (n % 2)
        messages.append(gallery.reply(body, f"a{n}", stats=gallery.STATS))
    for turn in ("first time", "again", "again"):
        wall, cpu = time.perf_counter(), time.thread_time()
        view.set_messages(messages)
        view.transcript.viewport().repaint()
        app.processEvents()
        took, busy = (time.perf_counter() - wall) * 1e3, (time.thread_time() - cpu) * 1e3
        live = view.transcript.live_widgets
        say(f"2,000 messages {turn}: {took:.0f} ms ({busy:.0f} ms of processor), {live} widgets")
    bar = view.transcript.verticalScrollBar()
    steps: list[float] = []
    for _ in range(300):
        cpu = time.thread_time()
        bar.setValue(bar.value() - 120)
        view.transcript.viewport().repaint()
        steps.append((time.thread_time() - cpu) * 1e3)
    say(f"scroll step:      {summary(steps, 16)}")


def main(arguments: list[str]) -> None:
    app = QApplication([])
    theme.apply(app, "dark")
    view = ChatView()
    view.resize(900, 900)
    view.show()
    # As the application does, once the window is painted.
    view.typesetter.warm_up()
    gallery.wait(1000)
    if arguments[:1] == ["open"]:
        open_many(app, view)
    else:
        seconds = float(arguments[1]) if len(arguments) > 1 else 10.0
        stream(app, view, seconds, int(arguments[2]) if len(arguments) > 2 else 0)
    view.typesetter.close()


if __name__ == "__main__":
    main(sys.argv[1:])
