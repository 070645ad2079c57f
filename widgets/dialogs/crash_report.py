"""Shown once for each distinct unexpected error: what happened, and a report to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit

from widgets import theme
from widgets.dialogs.base import Sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class CrashReport(Sheet):
    """The report as text that can be copied. Nothing is sent anywhere.

    Signals:
        log_requested: The user wants the engine's log.
    """

    log_requested = Signal()

    def __init__(self, parent: QWidget | None, title: str, text: str, report: str) -> None:
        super().__init__(parent, "crash_report", title, text)
        self.resize(640, 420)
        self._report = QPlainTextEdit(report)
        self._report.setObjectName("crash_report_text")
        self._report.setAccessibleName(self.tr("Report"))
        self._report.setReadOnly(True)
        self._report.setFont(theme.font("mono"))
        self._report.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.body.addWidget(self._report, 1)
        log = self.add_button(self.tr("Show log"), "crash_log", "quiet")
        self.foot.addStretch(1)
        self.copy = self.add_button(self.tr("Copy report"), "crash_copy")
        go_on = self.add_button(self.tr("Continue"), "crash_continue", "primary")
        go_on.setDefault(True)
        log.clicked.connect(self.log_requested)
        self.copy.clicked.connect(self._on_copy)
        go_on.clicked.connect(self.accept)

    def report(self) -> str:
        """The text that is copied."""
        return self._report.toPlainText()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report())
        self.copy.setText(self.tr("Copied"))
