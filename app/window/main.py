"""Starts the window: arguments, the Qt application, logging, and what ends it."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from app.window.log_file import LogFile
from engine.errors import UserError
from engine.paths import log_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtWidgets import QApplication

    from app.store.early_check import EarlyCheck


class Options(argparse.Namespace):
    """What the command line says; without a word on it, as it stands here."""

    files: Sequence[str] = ()
    model = first = screenshot = screenshots = ""
    headless = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window and stay until it is closed; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    # The parser looks for its own words in other languages as soon as it is made, for 3 ms.
    options = _parser().parse_args(given, Options()) if given else Options()
    _keep_a_log()
    without_display = options.headless or options.screenshots
    if not without_display:
        # Nearly all that a start makes stays: looking through it for garbage only takes time, and
        # at its longest when somebody already types.
        gc.disable()
    if without_display or not _has_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Raster widgets only: the app itself must cost no VRAM.
    os.environ.setdefault("QSG_RHI_BACKEND", "null")
    early = None if options.screenshots else _checking()
    application = _application()
    try:
        if options.screenshots:
            from app.window.gallery import take_screenshots

            return take_screenshots(application, options.screenshots)
        return _run(application, options, early)
    except UserError as error:
        print(f"{error.message}\n{error.fix}", file=sys.stderr)  # noqa: T201
        if not without_display and _has_display():
            _show(application, error)
        return 1


def _checking() -> EarlyCheck:
    """Look the chats through on a second core while Qt is loaded on this one."""
    from app.store.chat_store import chats_path
    from app.store.early_check import EarlyCheck

    return EarlyCheck(chats_path())


def _run(application: QApplication, options: Options, early: EarlyCheck | None) -> int:
    from app.window.desktop import Desktop
    from widgets.window_layout import fit_to_screen

    desktop = Desktop(application, early=early)
    try:
        if options.headless:
            from app.window.headless import HeadlessJob

            job = HeadlessJob(desktop, options.screenshot)
            job.start()
            return application.exec() or job.status
        fit_to_screen(desktop.window)
        desktop.window.show()
        desktop.open_first(options.model, first=options.first)
        desktop.later.add(_collect_garbage)
        if options.files:
            desktop.add_files(list(options.files))
        _on_signals(application, application.quit)
        return application.exec()
    finally:
        desktop.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="leadline window", description="Open the window.")
    parser.add_argument("files", nargs="*", help="Documents to put into a new chat.")
    parser.add_argument("--model", help="Load this GGUF file; demo is the bundled one.")
    parser.add_argument("--first", help="Load this one where no model was ever chosen before.")
    parser.add_argument(
        "--headless",
        action="store_true",
        help="Do the main job in an offscreen window: load, read a document, ask, answer.",
    )
    parser.add_argument("--screenshot", help="Where the headless job saves a picture.")
    parser.add_argument("--screenshots", help="Save pictures of the main states here.")
    return parser


def _application() -> QApplication:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication
    from PySide6.QtWidgets import QApplication

    from widgets import theme

    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(
        Qt.HighDpiScaleFactorRoundingPolicy.PassThrough
    )
    application = QApplication(["leadline", *theme.ARGUMENTS])
    application.setApplicationName("leadline")
    application.setApplicationDisplayName("Leadline")
    application.setDesktopFileName("leadline")
    return application


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(named or platform)


def _show(application: QApplication, error: UserError) -> None:
    from widgets import theme
    from widgets.dialogs.message import Message

    # The settings that name a theme may be what cannot be read.
    theme.apply(application, theme.mode())
    message = Message(None, "Leadline", f"{error.message} {error.fix}")
    # There is no loop of the application's own that could be told to quit.
    _on_signals(application, message.reject)
    message.exec()


def _collect_garbage() -> None:
    """From now on, and only among what is made from now on."""
    gc.freeze()
    gc.enable()


def _on_signals(application: QApplication, end: Callable[[], object]) -> None:
    """Ctrl-C and a polite kill close what is open as a person would."""
    from PySide6.QtCore import QTimer

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end())
    # Python sees a signal only when it runs: Qt's loop is woken now and then for that.
    timer = QTimer(application)
    timer.timeout.connect(lambda: None)
    timer.start(500)


def _keep_a_log() -> None:
    handler = LogFile(log_dir() / "leadline.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
