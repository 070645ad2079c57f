"""Find in the conversation: the bar, and the search over the messages' text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from widgets import parts, theme
from widgets.chat.plaintext import neutralised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QEvent, QObject

    from widgets.chat.viewdata import MessageView


MAX_HITS: Final = 999


class Hit(NamedTuple):
    """Where words were found: message, chunk of it, and which occurrence in the chunk."""

    message: int
    box: int
    number: int


def hits(views: Sequence[MessageView], words: str) -> list[Hit]:
    """Places where `words` stand, in the order of the conversation; the last `MAX_HITS` of them."""
    needle = words.lower()
    found: list[Hit] = []
    if not needle:
        return found
    for index in range(len(views) - 1, -1, -1):
        view = views[index]
        if needle in view.text.lower():
            found.extend(reversed(_hits_in(view, index, needle)))
        if len(found) >= MAX_HITS:
            break
    return found[:MAX_HITS][::-1]


def _hits_in(view: MessageView, index: int, needle: str) -> list[Hit]:
    from widgets.chat.chunks import chunks_of

    chunks = chunks_of(neutralised(view.text), verbatim=view.role == "user")
    return [
        Hit(index, box, number)
        for box, chunk in enumerate(chunks)
        for number in range(chunk.source.lower().count(needle))
    ]


class FindBar(QWidget):
    """Owned by `ChatView`.

    Attributes:
        stops: Where Tab stops, in this order.

    Signals:
        changed: The words to look for.
        next_requested, previous_requested: Go on, go back.
        closed: Esc or the cross.
    """

    changed = Signal(str)
    next_requested = Signal()
    previous_requested = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("findBar")
        self.input = QLineEdit()
        self.input.setPlaceholderText(self.tr("Find in this chat"))
        self.input.setFont(theme.font("body"))
        self.input.setClearButtonEnabled(False)
        self.input.installEventFilter(self)
        parts.named(self.input, "findInput", self.tr("Find in this chat"))
        self._count = parts.label("", "meta", "dim")
        parts.named(self._count, "findCount")
        theme.size(self._count, "MinimumWidth", 84)
        before = parts.icon_button("chevron-up", "findPrevious", self.tr("Previous (Shift+Enter)"))
        after = parts.icon_button("chevron-down", "findNext", self.tr("Next (Enter)"))
        close = parts.icon_button("close", "findClose", self.tr("Close (Esc)"))
        line = parts.row(theme.SPACE.s, (24, 8, 16, 8))
        line.addWidget(self.input, 1)
        line.addWidget(self._count)
        for button in (before, after, close):
            line.addWidget(button)
        self.setLayout(line)
        self.stops = (self.input, before, after, close)
        self.input.textChanged.connect(self.changed)
        before.clicked.connect(self.previous_requested)
        after.clicked.connect(self.next_requested)
        close.clicked.connect(self.closed)

    def say(self, at: int, count: int) -> None:
        """Where among how many; `at` counts from 1, 0 for nowhere."""
        if not self.input.text():
            text = ""
        elif not count:
            text = self.tr("not found")
        else:
            more = "+" if count >= MAX_HITS else ""
            text = self.tr("{at} of {count}").format(at=at, count=f"{count}{more}")
        self._count.setText(text)
        self._count.setAccessibleName(text)

    def said(self) -> str:
        """What `say` shows."""
        return self._count.text()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter, Shift+Enter and Esc in the input."""
        if watched is self.input and isinstance(event, QKeyEvent):
            if event.type() != QKeyEvent.Type.KeyPress:
                return super().eventFilter(watched, event)
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
                (self.previous_requested if back else self.next_requested).emit()
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.closed.emit()
                return True
        return super().eventFilter(watched, event)
