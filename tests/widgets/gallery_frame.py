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

import frame_states as states  # type: ignore[import-not-found]  # beside this script
from PySide6.QtWidgets import QApplication, QWidget

from engine.settings import AppSettings
from widgets import theme
from widgets.actions import SPECS, page_specs
from widgets.dialogs.confirm import Confirm
from widgets.dialogs.crash_report import CrashReport
from widgets.dialogs.log_view import LogView
from widgets.dialogs.preferences import Preferences
from widgets.dialogs.shortcuts import ShortcutsHelp
from widgets.engine_pane.pane import EnginePane
from widgets.main_window import MainWindow
from widgets.tick import RepaintTick
from widgets.toasts import ToastView

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


def window_for(width: int, height: int) -> MainWindow:
    window = MainWindow(QWidget())
    window.resize(width, height)
    states.fill_window(window)
    window.show()
    QApplication.processEvents()
    return window


def windows(mode: str) -> None:
    for width, height in ((1440, 900), (1280, 800), (1024, 700)):
        window = window_for(width, height)
        window.toasts.show_toast(
            ToastView("undo", "“Tax letter, second draft” was deleted.", "Undo")
        )
        if width == 1280:
            window.toasts.show_toast(
                ToastView(
                    "bad", "The engine stopped.", "Show log", "bad", 0, "Out of memory on GPU 1."
                )
            )
        save(window, f"window-{width}-{mode}", width, height)
        window.close()
        window.deleteLater()


def narrow_open(mode: str) -> None:
    window = window_for(1024, 700)
    window.toggle_sidebar()
    save(window, f"window-narrow-sidebar-{mode}", 1024, 700)
    window.toggle_sidebar()
    window.toggle_engine()
    save(window, f"window-narrow-engine-{mode}", 1024, 700)
    window.close()


def pages(mode: str) -> None:
    window = window_for(1440, 900)
    window.show_page("models")
    window.sidebar.search.setText("notice")
    window.sidebar.set_hits("notice", states.HITS)
    save(window, f"models-{mode}", 1440, 900)
    window.sidebar.search.setText("zebra")
    window.sidebar.set_hits("zebra", ())
    window.models_page.search.setText("zebra")
    save(window, f"models-nothing-{mode}", 1440, 900)
    window.close()


def dialogs(mode: str) -> None:
    save(ShortcutsHelp(None, (*SPECS, *page_specs(("Chat", "Models")))), f"help-{mode}", 820, 560)
    save(Preferences(None, AppSettings(theme="dark")), f"preferences-{mode}", 560, 520)
    log = LogView()
    log.append(["llama_model_loader: loaded meta data", "load_tensors: offloaded 37/37 layers"] * 9)
    save(log, f"log-{mode}", 820, 420)
    report = "Traceback (most recent call last):\n  File …\nZeroDivisionError: division by zero"
    text = "Something unexpected happened. Your chats are safe. Nothing was sent anywhere."
    save(CrashReport(None, "Unexpected error", text, report), f"crash-{mode}", 640, 380)
    confirm = Confirm(
        None, "Delete 12 chats?", "They cannot be brought back.", "Delete", is_danger=True
    )
    save(confirm, f"confirm-{mode}", 420, 170)
    picker_host = window_for(1440, 900)
    picker_host.open_picker()
    save(picker_host.engine.picker, f"picker-{mode}", 310, 420)
    picker_host.engine.picker.close()
    picker_host.close()


def economics(mode: str) -> None:
    window = MainWindow(QWidget())
    window.set_economics(states.ECONOMICS)
    states.fill_window(window)
    states.no_fit(window.engine)
    window.show_page("economics")
    save(window, f"economics-{mode}", 1440, 900)
    window.close()


PARTS = (engine_panes, windows, narrow_open, pages, dialogs, economics)


def main() -> None:
    app = QApplication(sys.argv)
    SHOTS.mkdir(exist_ok=True)
    wanted = sys.argv[1:]
    for mode in ("light", "dark"):
        theme.apply(app, mode)
        for part in PARTS:
            if not wanted or part.__name__ in wanted:
                part(mode)


if __name__ == "__main__":
    main()
