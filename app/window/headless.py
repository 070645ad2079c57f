"""The main job without a display: load, drop a document, ask, stream the answer, take a picture."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.session import Session, State
from engine.worker.protocol import Delta, Failed, Finished, PrefillProgress

if TYPE_CHECKING:
    from app.window.desktop import Desktop
    from engine.errors import Problem

QUESTION = "What is a leadline, and what is it used for?"
TIMEOUT_S = 600
# The demo model is small and may go round in circles: this much shows that it answers.
ENOUGH_CHARACTERS = 900


class HeadlessJob(QObject):
    """Drives a `Desktop` like a person would, through its widgets. Main thread.

    Attributes:
        status: Exit status: 0 when an answer came and the picture was saved.
    """

    def __init__(self, desktop: Desktop, screenshot: str) -> None:
        super().__init__(desktop)
        self._desktop = desktop
        self._screenshot = screenshot
        self._asked = False
        self._characters = 0
        self.status = 1

    def start(self) -> None:
        """Begin; the application quits at the end."""
        desktop = self._desktop
        desktop.window.resize(1440, 900)
        desktop.window.show()
        desktop.engine.session_changed.connect(self._on_session_changed)
        desktop.engine.reply_event.connect(self._on_reply_event)
        desktop.engine.died.connect(self._on_problem)
        desktop.engine.load_failed.connect(self._on_problem)
        desktop.shelf.failed.connect(self._on_problem)
        QTimer.singleShot(TIMEOUT_S * 1000, self, self._on_timeout)
        _say("No display: doing the main job in an offscreen window.")
        desktop.chat.open(None)
        desktop.open_first("demo")

    def _on_session_changed(self, session: Session) -> None:
        if session.state is State.READY and not self._asked and session.loaded is not None:
            self._asked = True
            _say(f"Loaded {session.loaded.model.name} in {session.loaded.seconds:.1f} s.")
            self._desktop.add_sample()
            _say(f"Dropped the sample document.\nAsked: {QUESTION}\n")
            self._desktop.chat_view.send_requested.emit(QUESTION)

    def _on_reply_event(self, event: object) -> None:
        match event:
            case PrefillProgress() if event.done == event.total:
                _say(f"[{event.total:,} tokens read]")
            case Delta():
                self._characters += len(event.text)
                sys.stdout.write(event.text)
                sys.stdout.flush()
                if self._characters > ENOUGH_CHARACTERS:
                    self._desktop.chat.stop()
            case Finished():
                usage = event.usage
                speed = usage.decode_tokens_per_second
                rate = f" · {speed:.1f} tok/s" if speed else ""
                _say(f"\n[{usage.completion_tokens} tokens{rate} · {event.stop_reason}]")
                # The last words and the figures under them are painted with the next ticks.
                QTimer.singleShot(700, self, self._finish)
            case Failed():
                self._on_problem(event.problem)

    def _finish(self) -> None:
        saved = True
        if self._screenshot:
            saved = self._desktop.window.grab().save(self._screenshot)
            _say(f"Saved {self._screenshot}" if saved else f"Could not save {self._screenshot}")
        self._end(0 if saved and self._characters else 1)

    def _on_problem(self, problem: Problem) -> None:
        _say(f"\n{problem.message}\n{problem.fix}")
        self._end(1)

    def _on_timeout(self) -> None:
        _say(f"\nGave up after {TIMEOUT_S} seconds.")
        self._end(1)

    def _end(self, status: int) -> None:
        self.status = status
        self._desktop.window.close()
        QTimer.singleShot(0, _quit)


def _quit() -> None:
    from PySide6.QtCore import QCoreApplication

    QCoreApplication.exit(0)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
