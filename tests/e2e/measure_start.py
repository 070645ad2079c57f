"""Times a cold start to a window that can be used, beside a bare window of PySide6.

    .venv/bin/python tests/e2e/measure_start.py [N]

A start is a new process that does what `python -m app` does, with chats in its list; it is over
when the window is painted and the composer has the cursor and takes a letter. What is composed
after that is timed as well: until when it takes, and the longest that a letter waits meanwhile. The
two are started in turn, after one start each that does not count and leaves the byte code behind,
which `make run` makes before the first. The screen is large enough for both, so that the window has
its list of chats and its place for the engine; Qt's own one without a display is 800 pixels wide,
where both are folded away. Prints one line of JSON with medians and best times.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parents[2]
BARE = """
from PySide6.QtWidgets import QApplication, QMainWindow, QPlainTextEdit
from PySide6.QtTest import QTest
application = QApplication([])
window = QMainWindow()
field = QPlainTextEdit()
window.setCentralWidget(field)
window.resize(1440, 900)
window.show()
"""
# All that `python -m app` does, until it would wait for what happens, and in its order: it loads Qt
# through `app.window`, which keeps PySide from reading the source of all that is loaded after that.
WHOLE = """
import sys
from app.window import main
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
def used(application):
    desktop = sys._getframe(1).f_locals["desktop"]
    window, field, done = desktop.window, desktop.chat_view.composer.input, 0.0
    assert window.sidebar.isVisible()
{use}
QApplication.exec = used
main.main([])
"""
SCREEN = {
    "screens": [
        {"name": "wide", "x": 0, "y": 0, "width": 1920, "height": 1080}
        | {"logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    ]
}
# As many as the list shows at once.
CHATS = """
from app.store.chat_store import ChatStore
from app.window.sample_chat import add_sample_chat
from engine.paths import data_dir
store = ChatStore(data_dir() / "chats.sqlite3")
for _ in range(12):
    add_sample_chat(store)
store.close()
os.write(1, b"ready\\n")
"""
READY = """
while not window.isVisible() or not field.isVisible():
    application.processEvents()
field.setFocus()
application.processEvents()
window.grab()
QTest.keyClick(field, "a")
assert field.toPlainText() == "a"
import os, time
os.write(1, b"ready\\n")
"""
REST = """
begun = last = time.perf_counter()
longest = 0.0
while time.perf_counter() - begun < 1.5:
    application.processEvents()
    if field.toPlainText()[-1:] != "b":
        QTest.keyClick(field, "b")
    now = time.perf_counter()
    longest, last = max(longest, now - last), now
    if desktop.later.is_done and not done:
        done = now - begun
    field.setPlainText("")
os.write(1, f"{done} {longest}".encode())
"""
END = """
os._exit(0)
"""


def main(count: int) -> int:
    """Start both `count` times."""
    times: dict[str, list[float]] = {name: [] for name in ("bare", "leadline", "rest", "wait")}
    whole = WHOLE.format(use=indent(READY + REST + END, "    "))
    with tempfile.TemporaryDirectory() as home:
        Path(home, "screen.json").write_text(json.dumps(SCREEN), encoding="utf-8")
        _started_s("import os" + CHATS, home)
        for at in range(count + 1):
            bare_s, _ = _started_s(BARE + READY + END, home)
            whole_s, said = _started_s(whole, home)
            if at:
                rest_s, wait_s = (float(word) for word in said.split())
                for name, seconds in zip(times, (bare_s, whole_s, rest_s, wait_s), strict=True):
                    times[name].append(seconds)
    result = {
        f"{name}_{what}_s": round(figure(values), 3)
        for name, values in times.items()
        for what, figure in (("median", statistics.median), ("best", min))
    }
    loads = [round(one, 1) for one in os.getloadavg()]
    sys.stdout.write(json.dumps({"starts": count, **result, "load_average": loads}) + "\n")
    return 0


def _started_s(program: str, home: str) -> tuple[float, str]:
    """Seconds until the program says that it is ready, and what it says after that."""
    environment = {
        **os.environ,
        "LEADLINE_HOME": home,
        "QT_QPA_PLATFORM": f"offscreen:configfile={home}/screen.json",
        "PYTHONPYCACHEPREFIX": f"{home}/byte-code",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        seconds = time.perf_counter() - begun
        said = process.stdout.read().decode()
    assert process.returncode == 0
    return seconds, said


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
