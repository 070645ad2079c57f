"""Searching within a document: the words, which match is looked at, and the way to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from widgets import parts, theme
from widgets.search_line import SearchLine

if TYPE_CHECKING:
    from widgets.parts import Tone

_PAUSE_MS = 150


class MatchBar(QWidget):
    """Enter and Shift+Enter step through the matches; Esc empties the search first. Main thread.

    Signals:
        search_changed: The words, after a pause in typing; empty ends the search.
        step_requested: 1 for the next match, -1 for the one before.
    """

    search_changed = Signal(str)
    step_requested = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.line = SearchLine("pageSearch", self.tr("Find in this document"))
        theme.size(self.line, "FixedWidth", 210)
        self.line.installEventFilter(self)
        self.line.textChanged.connect(self._on_text)
        self.count = parts.label("", "meta", "dim")
        self.count.setObjectName("pageMatches")
        theme.size(self.count, "MinimumWidth", 84)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._search)
        self.line.textEdited.connect(lambda _text: self._pause.start())
        self._searched = ""
        self.before = parts.icon_button(
            "chevron-up", "matchPrevious", self.tr("Previous match (Shift+F3)")
        )
        self.after = parts.icon_button("chevron-down", "matchNext", self.tr("Next match (F3)"))
        self.before.clicked.connect(lambda: self.step_requested.emit(-1))
        self.after.clicked.connect(lambda: self.step_requested.emit(1))
        line = parts.row(theme.SPACE.xs)
        for widget in (self.line, self.count, self.before, self.after):
            line.addWidget(widget)
        self.setLayout(line)
        self.set_matches(None, 0)

    def set_matches(self, at: int | None, count: int, *, has_more: bool = False) -> None:
        """Say which match is looked at, from 0, and how many there are; None without a search."""
        words, tone = "", "dim"
        if at is not None and count:
            total = f"{count:,}+" if has_more else f"{count:,}"
            words = self.tr("{at:,} of {total}").format(at=at + 1, total=total)
        elif at is not None:
            words, tone = self.tr("not found"), "warn"
        self.count.setText(words)
        shown: Tone = "warn" if tone == "warn" else "dim"
        parts.restyle(self.count, "tone", shown)
        self.before.setEnabled(count > 0)
        self.after.setEnabled(count > 0)

    def search_for(self, words: str) -> None:
        """Search as if it had been typed."""
        self.line.setText(words)
        self._search()

    def focus(self) -> None:
        """Put the caret into the search."""
        self.line.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.line.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the keys that step, and the Esc that empties."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                is_back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                self._on_enter(-1 if is_back else 1)
                return True
            if event.key() == Qt.Key.Key_Escape and self.line.text():
                self.line.clear()
                return True
        return super().eventFilter(watched, event)

    def _on_enter(self, step: int) -> None:
        if self.line.text().strip() != self._searched:
            self._search()
        else:
            self.step_requested.emit(step)

    def _on_text(self, text: str) -> None:
        if not text.strip():
            self._search()

    def _search(self) -> None:
        self._pause.stop()
        words = self.line.text().strip()
        if words != self._searched:
            self._searched = words
            self.search_changed.emit(words)
