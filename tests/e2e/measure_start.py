"""Times a cold start to a window that can be used, beside a bare window of PySide6.

    .venv/bin/python tests/e2e/measure_start.py [N]

A start is a new process; it is over when the window is painted and the composer has the cursor and
takes a letter. The two are started in turn. Prints one line of JSON with medians and best times.
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
WHOLE = """
from PySide6.QtTest import QTest
from app.window import main
application = main._application()
from app.window.desktop import Desktop
desktop = Desktop(application)
window, field = desktop.window, desktop.chat_view.composer.input
window.show()
desktop.open_first()
"""
END = """
while not window.isVisible() or not field.isVisible():
    application.processEvents()
field.setFocus()
application.processEvents()
window.grab()
QTest.keyClick(field, "a")
assert field.toPlainText() == "a"
import os
os.write(1, b"ready")
os._exit(0)
"""


def main(count: int) -> int:
    """Start both `count` times."""
    times: dict[str, list[float]] = {"bare": [], "leadline": []}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(count):
            times["bare"].append(_started_s(BARE + END, home))
            times["leadline"].append(_started_s(WHOLE + END, home))
    result = {
        f"{name}_{what}_s": round(figure(values), 2)
        for name, values in times.items()
        for what, figure in (("median", statistics.median), ("best", min))
    }
    loads = [round(one, 1) for one in os.getloadavg()]
    sys.stdout.write(json.dumps({"starts": count, **result, "load_average": loads}) + "\n")
    return 0


def _started_s(program: str, home: str) -> float:
    environment = {**os.environ, "LEADLINE_HOME": home, "QT_QPA_PLATFORM": "offscreen"}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout == b"ready"
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
