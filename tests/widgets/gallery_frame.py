"""Pictures of the frame in its states, light and dark: `python tests/widgets/gallery_frame.py`.

Writes PNGs to `shots/`. The figures are made up; the widgets are the real ones.
"""

# ruff: noqa: E402 - the platform must be chosen before Qt is imported
from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import frame_states as states
from PySide6.QtWidgets import QApplication, QWidget

from widgets import theme
from widgets.engine_pane.pane import EnginePane
from widgets.tick import RepaintTick

SHOTS = Path(__file__).resolve().parents[2] / "shots"


def save(widget: QWidget, name: str, width: int, height: int) -> None:
    widget.resize(width, height)
    widget.show()
    QApplication.processEvents()
    QApplication.processEvents()
    widget.grab().save(str(SHOTS / f"{name}.png"))


def engine_panes(mode: str) -> None:
    tick = RepaintTick()
    for name, fill in states.PANES.items():
        pane = EnginePane(tick)
        fill(pane)
        tick.ticked.emit()
        save(pane, f"pane-{name}-{mode}", 336, 900)
        pane.close()
        pane.deleteLater()


def main() -> None:
    app = QApplication(sys.argv)
    SHOTS.mkdir(exist_ok=True)
    wanted = sys.argv[1:]
    for mode in ("light", "dark"):
        theme.apply(app, mode)
        for part in (engine_panes, *states.EXTRA):
            if not wanted or part.__name__ in wanted:
                part(mode)


if __name__ == "__main__":
    main()
