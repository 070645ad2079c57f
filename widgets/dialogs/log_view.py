"""The engine's log: llama.cpp's lines as they come, filtered, copied, saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit

from widgets import file_dialogs, theme
from widgets.dialogs.base import Sheet
from widgets.search_line import SearchLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PySide6.QtWidgets import QWidget

_KEPT_LINES: Final = 5000


class LogView(Sheet):
    """Keeps the last lines. Follows the end unless the user has scrolled up. Main thread.

    Signals:
        save_failed(str path, str reason): They could not be written to a file.
    """

    save_failed = Signal(str, str)

    @classmethod
    def title(cls) -> str:
        """What the window is called."""
        return QCoreApplication.translate("Dialogs", "Engine log")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, "log_view", self.title())
        self.resize(820, 520)
        self._lines: list[str] = []
        self.search = SearchLine(
            "log_search", self.tr("Show lines with"), self.tr("Show lines with …")
        )
        self.search.textChanged.connect(self._refill)
        self.text = QPlainTextEdit()
        self.text.setObjectName("log_text")
        self.text.setAccessibleName(self.tr("Engine log"))
        self.text.setReadOnly(True)
        self.text.setFont(theme.font("mono"))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setMaximumBlockCount(_KEPT_LINES)
        self.text.setPlaceholderText(self.tr("The engine has said nothing yet."))
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.body.addWidget(self.search)
        self.body.addWidget(self.text, 1)
        self.foot.addStretch(1)
        for words, name, act in (
            (self.tr("Clear"), "log_clear", self.clear),
            (self.tr("Copy all"), "log_copy", self._on_copy),
            (self.tr("Save …"), "log_save", self._on_save),
        ):
            self.add_button(words, name).clicked.connect(act)

    def append(self, lines: Iterable[str]) -> None:
        """Add lines at the end."""
        added = list(lines)
        self._lines.extend(added)
        del self._lines[:-_KEPT_LINES]
        shown = [line for line in added if self._matches(line)]
        if shown:
            self._write("\n".join(shown))

    def clear(self) -> None:
        """Forget all lines."""
        self._lines.clear()
        self.text.clear()

    def lines(self) -> list[str]:
        """Everything that is kept."""
        return list(self._lines)

    def save_to(self, path: Path) -> None:
        """Write all kept lines into a file."""
        path.write_text("\n".join(self._lines) + "\n", encoding="utf-8", errors="replace")

    def _matches(self, line: str) -> bool:
        wanted = self.search.text().strip().lower()
        return not wanted or wanted in line.lower()

    def _write(self, text: str) -> None:
        bar = self.text.verticalScrollBar()
        follows = bar.value() >= bar.maximum() - 4
        kept = bar.value()
        self.text.appendPlainText(text)
        if follows:
            self.text.moveCursor(QTextCursor.MoveOperation.End)
            self.text.moveCursor(QTextCursor.MoveOperation.StartOfLine)
        else:
            bar.setValue(kept)

    def _refill(self) -> None:
        self.text.clear()
        shown = [line for line in self._lines if self._matches(line)]
        if shown:
            self._write("\n".join(shown))

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText("\n".join(self._lines))

    def _on_save(self) -> None:
        title, filters = self.tr("Save the log"), self.tr("Text (*.log *.txt)")
        if path := file_dialogs.save_file(self, title, "leadline-engine.log", filters):
            try:
                self.save_to(Path(path))
            except OSError as error:
                self.save_failed.emit(path, error.strerror or str(error))
