"""Shows the notices of the app as toasts, and carries out what their buttons ask."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.notices import Notices
    from widgets.main_window import MainWindow
    from widgets.toasts import Toasts, Tone

_BAD_STAYS_S = 20.0


class Toasting(QObject):
    """Main thread."""

    def __init__(self, notices: Notices, window: MainWindow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._notices = notices
        self._window = window
        self._undos: dict[str, Callable[[], None]] = {}
        self._offers: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {}
        self._numbers = itertools.count(1)
        notices.said.connect(self._on_said)
        notices.undo_offered.connect(self._on_undo_offered)
        notices.offered.connect(self._on_offered)

    @cached_property
    def _toasts(self) -> Toasts:
        toasts = self._window.toasts
        toasts.action_requested.connect(self._on_action)
        toasts.expired.connect(self._on_expired)
        return toasts

    def _on_said(self, text: str, fix: str, tone: Tone) -> None:
        # The same words again replace the toast that says them.
        ident = f"said_{hash((text, fix)) & 0xFFFFFF:x}"
        stay_s = _BAD_STAYS_S if tone == "bad" else 8.0
        self._show(ident, text, fix=fix, tone=tone, stay_s=stay_s)

    def _on_undo_offered(self, text: str, undo: Callable[[], None]) -> None:
        ident = f"undo_{next(self._numbers)}"
        self._undos[ident] = undo
        self._show(ident, text, action=self.tr("Undo"), stay_s=12.0)

    def _on_offered(
        self, text: str, label: str, accept: Callable[[], None], decline: Callable[[], None]
    ) -> None:
        ident = f"offer_{next(self._numbers)}"
        self._offers[ident] = accept, decline
        self._show(ident, text, action=label, stay_s=0)

    def _show(
        self,
        ident: str,
        text: str,
        *,
        stay_s: float,
        fix: str = "",
        tone: Tone = "plain",
        action: str = "",
    ) -> None:
        # Nothing is said in most starts.
        from widgets.toasts import ToastView

        self._toasts.show_toast(
            ToastView(id=ident, text=text, fix=fix, tone=tone, action=action, stay_s=stay_s)
        )

    def _on_action(self, ident: str) -> None:
        if ident in self._offers:
            self._offers.pop(ident)[0]()
        undo = self._undos.pop(ident, None)
        if undo is not None:
            undo()
            self._tell_if_passed()

    def _on_expired(self, ident: str) -> None:
        if ident in self._offers:
            self._offers.pop(ident)[1]()
        if self._undos.pop(ident, None) is not None:
            self._tell_if_passed()

    def _tell_if_passed(self) -> None:
        if not self._undos:
            self._notices.undo_passed.emit()
