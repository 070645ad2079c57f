"""The dialogs that the application opens by itself: what they ask, and who gets the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtWidgets import QWidget

    from app.crash import CrashReport
    from app.notices import Notices
    from widgets.main_window import MainWindow


class Dialogs(QObject):
    """Main thread. None of them blocks but the system's own for choosing files."""

    def __init__(self, window: MainWindow, notices: Notices, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self._notices = notices

    def choose_files(self, then: Callable[[list[str]], None]) -> None:
        """Let the user choose documents, beginning where the last ones were."""
        from widgets import file_dialogs

        title = self.tr("Add documents")
        if paths := file_dialogs.open_files(self._window, title, file_dialogs.Purpose.DOCUMENTS):
            then(paths)

    def ask_password(
        self, name: str, then: Callable[[str], None], over: QWidget | None = None
    ) -> None:
        """Ask for the password of a document. It is handed on and kept nowhere."""
        from widgets.dialogs.name import NameDialog

        asked = NameDialog(
            over or self._window,
            self.tr("Password"),
            self.tr("Open"),
            text=self.tr("{name} is encrypted. Enter its password to read it.").format(name=name),
            is_secret=True,
        )
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.named.connect(then)
        asked.open()

    def ask_pages(self, name: str, count: int, selection: str, then: Callable[[str], None]) -> None:
        """Ask which pages of a document are sent."""
        from widgets.dialogs.name import NameDialog

        asked = NameDialog(
            self._window,
            self.tr("Choose pages"),
            self.tr("Send these"),
            text=self.tr("{name} has {count:,} pages. Write for example 3-9, 12.").format(
                name=name, count=count
            ),
            name=selection,
        )
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.named.connect(then)
        asked.open()

    def ask_unsaved(self, words: Sequence[str], close: Callable[[], None]) -> None:
        """Say which words would go with the window, and close it only if they may."""
        from widgets.dialogs.unsaved import Unsaved

        if any(one.isVisible() for one in self._window.findChildren(Unsaved)):
            return
        shown = [text or self.tr("(what was noted with a message)") for text in words]
        asking = Unsaved(
            self._window,
            self.tr("Close without saving this?"),
            self.tr(
                "It could not be written to the disk and will be lost. Stay and make room, or copy"
                " it first; it is tried again every second."
            ),
            shown,
        )
        asking.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asking.accepted.connect(close)
        asking.open()

    def open_link(self, url: str) -> None:
        """Open a web or mail link, and only after asking: a model may have written it."""
        from PySide6.QtCore import QUrl
        from PySide6.QtGui import QDesktopServices

        target = QUrl(url)
        if target.scheme() not in ("http", "https", "mailto"):
            self._notices.say(
                self.tr("Only web and mail links can be opened: {url}").format(url=url)
            )
            return
        from widgets.dialogs.confirm import Confirm

        asking = Confirm(
            self._window,
            self.tr("Open this link?"),
            self.tr("The browser will open {url}").format(url=url),
            self.tr("Open"),
        )
        asking.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asking.accepted.connect(lambda: QDesktopServices.openUrl(target))
        asking.open()

    def show_crash(self, report: CrashReport) -> None:
        """Show a failure that nobody foresaw, once."""
        from widgets.dialogs.crash_report import CrashReport as CrashDialog

        dialog = CrashDialog(
            self._window,
            self.tr("Something went wrong inside Leadline"),
            self.tr("Your chats are safe. This is shown once: {summary}").format(
                summary=report.summary
            ),
            report.text,
        )
        dialog.log_requested.connect(self._window.open_log)
        dialog.open()
