"""How long the window takes from a changed setting to repainted bars, while a handle is dragged.

Run it as `PYTHONPATH=. python tests/app/measure_plan_latency.py [MODEL.gguf] [--nodes 2]` on a
quiet machine. The real window and planner, offscreen; each step waits for the one before to be
painted, as a pointer that moves slowly does. It prints the median and the 95th percentile.
"""

# ruff: noqa: E402  the platform must be chosen before Qt is imported
from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LEADLINE_HOME"] = tempfile.mkdtemp(prefix="leadline-latency-")
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support")]

from desk import open_desk  # type: ignore[import-not-found]  # beside the other helpers
from PySide6.QtCore import QEvent, QObject
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.models.demo import demo_model_path
from engine.remote.servers import start_server, stop_server
from engine.settings import EngineSettings, validated
from widgets import theme

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.window.desktop import Desktop

_STEP_S = 10.0


class Painted(QObject):
    """Notes when the bars were painted last."""

    def __init__(self, desktop: Desktop) -> None:
        super().__init__()
        self.at_s = 0.0
        for bar in desktop.window.engine.plan._bars:
            bar.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Let everything through."""
        if event.type() is QEvent.Type.Paint:
            self.at_s = time.perf_counter()
        return False


def step(desktop: Desktop, painted: Painted, settings: EngineSettings) -> float | None:
    """Change the settings as a handle does; seconds until the new plan was painted."""
    begun_s = time.perf_counter()
    desktop.window.engine._on_edited(settings)
    while time.perf_counter() - begun_s < _STEP_S:
        QTest.qWait(1)
        plan = desktop.engine_side.planning.newest
        if plan is not None and plan.settings == settings:
            QTest.qWait(1)
            return painted.at_s - begun_s if painted.at_s > begun_s else None
    return None


def dragged(settings: EngineSettings, name: str, longest: int) -> Iterable[EngineSettings]:
    """A drag of one handle from end to end."""
    if name == "context":
        for n_ctx in range(512, longest, max(256, longest // 60 // 256 * 256)):
            yield validated(settings, n_ctx=n_ctx)
        return
    for _ in range(3):
        for share in range(2, 15):
            yield validated(settings, split_mode=name, tensor_split=(share, 16 - share))


def main() -> None:
    """Print a line per handle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=None)
    parser.add_argument("--nodes", type=int, default=2, help="RPC devices on loopback")
    options = parser.parse_args()
    application = QApplication([])
    theme.apply(application, "light")
    servers = [start_server("CPU", threads=1) for _ in range(options.nodes)]
    base = EngineSettings(
        model_path=str(options.model or demo_model_path()),
        devices=tuple(address for address, _ in servers),
        n_ctx=1024,
    )
    try:
        with open_desk(application) as desk:
            desktop = desk.desktop
            desktop.engine_side.pane.set_edited(base)
            desk.until(
                lambda: (
                    desktop.engine_side.planning.newest
                    and desktop.engine_side.planning.newest.is_final
                )
            )
            longest = desktop.engine_side.planning.newest.max_n_ctx
            painted = Painted(desktop)
            for name in ("context", *(("layer", "tensor") if options.nodes > 1 else ())):
                steps = list(dragged(base, name, longest))
                took = sorted(s for one in steps if (s := step(desktop, painted, one)) is not None)
                p50, p95 = (1000 * took[int(len(took) * part)] for part in (0.5, 0.95))
                line = f"{name:8} {len(took):3} steps  p50 {p50:4.0f} ms  p95 {p95:4.0f} ms"
                sys.stdout.write(line + "\n")
    finally:
        for _, server in servers:
            stop_server(server)


if __name__ == "__main__":
    main()
