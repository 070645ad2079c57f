"""The whole application in a test: started, watched, used like a person uses it, and closed."""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import (
    QAbstractItemModel,
    QCoreApplication,
    QEvent,
    QMimeData,
    QPoint,
    QPointF,
    Qt,
    QUrl,
)
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QListView, QWidget

from app.session import State
from app.window.desktop import Desktop
from engine.paths import log_dir
from engine.settings import EngineSettings
from widgets.section_list import ROW_ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from PySide6.QtCore import SignalInstance
    from PySide6.QtWidgets import QApplication

    from app.store.rows import ChatContents, Message
    from engine.errors import Problem
    from widgets.chat.viewdata import MessageView

SCRIPT = Path(__file__).with_name("faulty_worker.py")
W = TypeVar("W", bound=QWidget)
# Long enough for a machine with other work; nothing waits for it unless something is broken.
PATIENCE_S = 240.0


def faulty(fault: str = "none", moment: str = "") -> list[str]:
    """The command of a worker that goes wrong on cue."""
    return [sys.executable, "-P", str(SCRIPT), fault, moment]


class Hold:
    """Holds up the replies of a faulty worker, so that no test depends on how long they take.

    A reply that is held up is cancelled like any other, and no worker stays for it.

    Attributes:
        env: What the worker has to be started with.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "hold"
        self.env = {"FAULTY_HOLD": str(self._path)}

    def at(self, *, reply: int = 1, words: int = 3) -> None:
        """Let no reply go on after so many words, from a worker's so-manieth on."""
        self._path.write_text(f"{reply} {words}")

    def let_go(self) -> None:
        """Let all replies go on to their ends."""
        self._path.unlink()


@contextmanager
def open_desk(
    application: QApplication,
    *,
    command: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Desk]:
    """Open the application's window; close it and free it at the end.

    An exception that nobody expected fails the test with its report.
    """
    desktop = Desktop(application, worker_command=command, worker_env=env)
    desktop.later.finish()
    desk = Desk(desktop)
    try:
        desktop.window.show()
        # Keys reach the shortcuts of the active window alone.
        desktop.window.activateWindow()
        QTest.qWaitForWindowActive(desktop.window)
        desktop.presenter.refresh()
        yield desk
    finally:
        desktop.close()
        desktop.window.deleteLater()
        desktop.deleteLater()
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    reports = [path.read_text() for path in log_dir().glob("crash-*.txt")]
    assert not reports, "\n".join(reports)


class Desk:
    """Hands and eyes for one `Desktop`. Main thread.

    Attributes:
        notices: What was said, newest last.
        undos: What can be undone, newest last.
        deaths: Why the engine ended by itself, each time.
    """

    def __init__(self, desktop: Desktop) -> None:
        self.desktop = desktop
        self.view = desktop.chat_view
        self.store = desktop.store
        self.engine = desktop.engine
        self.chat = desktop.chat
        self.notices: list[str] = []
        self.undos: list[Callable[[], None]] = []
        self.deaths: list[Problem] = []
        desktop.notices.said.connect(lambda text, _fix, _tone: self.notices.append(text))
        desktop.notices.undo_offered.connect(lambda _text, undo: self.undos.append(undo))
        desktop.engine.died.connect(self.deaths.append)

    # ---- waiting

    def until(
        self, holds: Callable[[], object], what: str = "", *, timeout_s: float = PATIENCE_S
    ) -> float:
        """Run the window until something holds; the seconds it took."""
        begun = time.perf_counter()
        while not holds():
            if time.perf_counter() - begun > timeout_s:
                said = f"; said meanwhile: {self.notices}" if self.notices else ""
                raise AssertionError(f"waited {timeout_s:g} s in vain: {what or holds}{said}")
            QTest.qWait(2)
        return time.perf_counter() - begun

    def until_state(self, *states: State, timeout_s: float = PATIENCE_S) -> float:
        """Run the window until the engine is in one of the states."""
        return self.until(
            lambda: self.engine.session.state in states,
            f"{states}, is {self.engine.session.state}",
            timeout_s=timeout_s,
        )

    def settle(self) -> None:
        """Let everything that is on its way to the disk and back arrive."""
        self.store.flush()
        QTest.qWait(5)

    # ---- doing

    def load(self, model: Path | str = "fake.gguf", **settings: object) -> None:
        """Load a model and wait for it."""
        self.engine.load(EngineSettings(model_path=str(model), **settings))  # type: ignore[arg-type]
        self.until_state(State.READY)

    def write(self, text: str) -> None:
        """Type into the composer."""
        self.view.composer.input.setPlainText(text)

    def send(self, text: str) -> None:
        """Type a question and press Enter."""
        self.write(text)
        QTest.keyClick(self.view.composer.input, Qt.Key.Key_Return)

    def ask(self, text: str) -> MessageView:
        """Send a question, wait for the whole reply and return it."""
        before = len(self.messages())
        self.send(text)
        self.until(lambda: len(self.messages()) > before + 1, f"a reply to {text!r}")
        self.until(lambda: self.chat.replying_in is None, "the end of the reply")
        return self.messages()[-1]

    def press(self, name: str, inside: QWidget | None = None) -> None:
        """Press a visible button by its object name."""
        button = self.find(QAbstractButton, name, inside)
        assert button.isEnabled(), f"{name} cannot be pressed"
        button.click()

    def find(self, kind: type[W], name: str, inside: QWidget | None = None) -> W:
        """A visible widget by its object name."""
        found = self.find_all(kind, name, inside)
        assert found, f"there is no {name} to be seen"
        return found[-1]

    def find_all(self, kind: type[W], name: str, inside: QWidget | None = None) -> list[W]:
        """All visible widgets of an object name."""
        widgets: list[W] = (inside or self.desktop.window).findChildren(kind, name)
        return [widget for widget in widgets if widget.isVisible()]

    def drop(self, *paths: Path, on: QWidget | None = None) -> None:
        """Drop files on the conversation, or on another widget."""
        target = on or self.view
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        where, copy = QPoint(200, 200), Qt.DropAction.CopyAction
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        entering = QDragEnterEvent(where, copy, data, left, none)
        QCoreApplication.sendEvent(target, entering)
        assert entering.isAccepted()
        QCoreApplication.sendEvent(target, QDropEvent(QPointF(where), copy, data, left, none))

    def open_chat(self, chat_id: int | None) -> None:
        """Open another chat."""
        self.chat.open(chat_id)

    # ---- seeing

    def messages(self) -> list[MessageView]:
        """What the transcript shows, oldest first."""
        return self.view.transcript.messages()

    def stored(self, chat_id: int | None = None) -> tuple[Message, ...]:
        """What the disk holds of a chat's shown branch, once it is all there."""
        wanted = chat_id or self.chat.chat_id or 0
        found: list[ChatContents] = []

        def is_whole() -> bool:
            contents = self.store.messages.contents(wanted)
            found[:] = [contents] if contents else []
            return bool(found) and all(m.state != "streaming" for m in found[0].messages)

        self.settle()
        self.until(is_whole, "the chat on the disk")
        return found[0].messages

    def cards(self) -> list[str]:
        """Kinds of the cards that are shown."""
        names = [
            widget.objectName()
            for widget in self.view.findChildren(QWidget)
            if widget.isVisible() and widget.objectName().startswith("card_")
        ]
        return [name.removeprefix("card_") for name in names]

    def listed_chats(self) -> list[str]:
        """Ids of the chats in the sidebar, which a narrow window folds away."""
        chats = self.desktop.window.findChild(QListView, "chat_list")
        assert isinstance(chats, QListView)
        model: QAbstractItemModel = chats.model()
        rows = [model.index(at, 0).data(ROW_ROLE) for at in range(model.rowCount())]
        return [row.id for row in rows if not row.is_heading]

    def card_text(self, kind: str) -> str:
        """Everything that a card says."""
        return self.find(QWidget, f"card_{kind}").accessibleName()


def noted(signal: SignalInstance) -> list[object]:
    """A list that fills with what a signal of one argument carries."""
    values: list[object] = []
    signal.connect(values.append)
    return values
