"""``make screenshots``: the main states of the real window, in light and dark, at two sizes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize, QTimer

import assets
from app.session import State
from app.window.sample_chat import add_long_chat, add_sample_chat
from engine.settings import validated
from widgets import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QApplication, QWidget

    from app.window.desktop import Desktop
    from engine.worker.protocol import Segment

SIZES = (QSize(1280, 800), QSize(1920, 1080))
THEMES = ("light", "dark")
_STEP_TIMEOUT_S = 180.0
_SETTLE_S = 0.4
_SHORT_REPLY_TOKENS = 120


def take_screenshots(application: QApplication, folder: str) -> int:
    """Drive a window with its own data folder through its states; the exit status."""
    from app.window.desktop import Desktop

    with tempfile.TemporaryDirectory(prefix="leadline-shots-") as home:
        os.environ["LEADLINE_HOME"] = home
        desktop = Desktop(application)
        desktop.later.finish()
        try:
            gallery = Gallery(application, desktop, Path(folder))
            gallery.start()
            application.exec()
            return gallery.status
        finally:
            desktop.close()


class Gallery(QObject):
    """Runs the steps of `_states` one after the other. Main thread."""

    def __init__(self, application: QApplication, desktop: Desktop, folder: Path) -> None:
        super().__init__(desktop)
        self._application = application
        self._desktop = desktop
        self._folder = folder
        self._steps = self._states()
        self._until: Callable[[], bool] = lambda: True
        self._since_s = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._on_tick)
        self.status = 1

    def start(self) -> None:
        """Begin; the application exits at the end."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._desktop.window.resize(SIZES[0])
        self._desktop.window.show()
        self._timer.start()

    def _on_tick(self) -> None:
        if not self._until():
            if time.monotonic() - self._since_s > _STEP_TIMEOUT_S:
                sys.stderr.write("A state was not reached in time.\n")
                self._end(1)
            return
        try:
            self._until = next(self._steps)
            self._since_s = time.monotonic()
        except StopIteration:
            self._end(0)

    def _end(self, status: int) -> None:
        self._timer.stop()
        self.status = status
        self._desktop.window.close()
        self._application.exit(status)

    # ---- the states

    def _states(self) -> Iterator[Callable[[], bool]]:
        desktop = self._desktop
        desktop.open_first()
        yield from self._shots("first-run")
        desktop.engine_side.pane.load_demo()
        yield lambda: desktop.engine.session.state is State.READY
        yield from self._shots("empty-chat")
        desktop.chat.open(add_sample_chat(desktop.store))
        desktop.sidebar.refresh_chats()
        yield from self._shots("answer")
        yield from self._document()
        yield from self._passages()
        yield from self._library()
        yield from self._settings()
        yield from self._long_chat()
        yield from self._died()

    def _document(self) -> Iterator[Callable[[], bool]]:
        desktop = self._desktop
        desktop.chat.open(None)
        desktop.add_sample()
        chat_id = desktop.chat.chat_id
        yield lambda: chat_id is not None and not desktop.shelf.is_busy(chat_id)
        yield lambda: any(s.document_id for s in self._segments())
        yield from self._shots("document")
        desktop.chat_view.send_requested.emit("What is a leadline, and what is it used for?")
        yield lambda: desktop.engine.session.state is State.WRITING
        yield _after(2.0)
        yield from self._shots("writing")
        desktop.chat.stop()
        yield lambda: desktop.engine.session.state is State.READY

    def _passages(self) -> Iterator[Callable[[], bool]]:
        desktop = self._desktop
        chat_id = desktop.chat.chat_id
        if chat_id is None:
            return
        # A small model may go on until its context is full.
        short = validated(desktop.settings.generation, max_tokens=_SHORT_REPLY_TOKENS)
        desktop.settings.set_generation(short)
        for held in desktop.shelf.held(chat_id):
            desktop.shelf.choose_mode(chat_id, held.key, "passages")
        desktop.chat_view.send_requested.emit("How did sailors read the marks in the dark?")
        yield lambda: desktop.engine.session.state is State.WRITING
        yield lambda: desktop.engine.session.state is State.READY
        desktop.found.toggle()
        yield from self._shots("passages")
        desktop.found.close()

    def _library(self) -> Iterator[Callable[[], bool]]:
        desktop = self._desktop
        desktop.window.show_page("library")
        shown = desktop.window.library
        desktop.library.add_files([str(assets.FOLDER / "sample.md")])
        yield lambda: len(shown.items()) > 1 and all(item.tokens for item in shown.items())
        yield from self._shots("library")
        sample = next(item for item in shown.items() if item.name == "sample.pdf")
        desktop.viewing.open_document(sample.id, 2)
        yield lambda: desktop.viewing.viewer is not None
        viewer = desktop.viewing.viewer
        if viewer is not None:
            viewer.matches.search_for("sounding")
            yield lambda: bool(viewer.picture.sheet.boxes())
            yield from self._shots("document-view", viewer)
        desktop.viewing.close_viewer()
        desktop.window.show_page("chat")

    def _segments(self) -> tuple[Segment, ...]:
        latest = self._desktop.ledger.latest
        return latest.segments if latest else ()

    def _settings(self) -> Iterator[Callable[[], bool]]:
        self._desktop.window.engine.show_all_settings()
        yield from self._shots("settings")
        self._desktop.window.engine.show_instruments()

    def _long_chat(self) -> Iterator[Callable[[], bool]]:
        self._desktop.chat.open(add_long_chat(self._desktop.store, 2000))
        self._desktop.sidebar.refresh_chats()
        yield from self._shots("long-chat")

    def _died(self) -> Iterator[Callable[[], bool]]:
        desktop = self._desktop
        desktop.chat.open(None)
        desktop.chat_view.send_requested.emit("Tell me a long story about a ship.")
        yield lambda: desktop.engine.session.state is State.WRITING
        yield _after(1.5)
        pid = desktop.engine.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        yield lambda: desktop.engine.session.state is State.DIED
        yield from self._shots("engine-died")

    def _shots(self, name: str, widget: QWidget | None = None) -> Iterator[Callable[[], bool]]:
        shown = widget or self._desktop.window
        for mode in THEMES:
            theme.apply(self._application, mode)
            for size in SIZES:
                shown.resize(size)
                yield _after(_SETTLE_S)
                yield self._drawn(shown)
                path = self._folder / f"{name}-{mode}-{size.width()}x{size.height()}.png"
                if not shown.grab().save(str(path)):
                    raise OSError(f"cannot write {path}")

    def _drawn(self, shown: QWidget) -> Callable[[], bool]:
        """Whether formulas and colours are there and, while no reply grows, nothing moves."""
        seen: list[QImage] = []

        def is_drawn() -> bool:
            # What is in sight is asked for when it is painted.
            seen[:] = [*seen[-1:], shown.grab().toImage()]
            if self._desktop.chat_view.typesetter.is_busy:
                return False
            grows = self._desktop.engine.session.is_answering
            return grows or (len(seen) > 1 and seen[0] == seen[1])

        return is_drawn


def _after(seconds: float) -> Callable[[], bool]:
    due_s = time.monotonic() + seconds
    return lambda: time.monotonic() >= due_s
