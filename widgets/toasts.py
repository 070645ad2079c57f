"""Short messages over the page, under its heading, with one action such as Undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QWidget

from widgets import icons, theme
from widgets.parts import button, column, icon_button, label, row

if TYPE_CHECKING:
    from PySide6.QtGui import QEnterEvent

Tone = Literal["plain", "ok", "warn", "bad"]
_MOST: Final = 3
_WIDTH_PX: Final = 440
_TOP_PX: Final = 56
_MARKS: Final = {
    "plain": ("info", "dim"),
    "ok": ("check", "ok"),
    "warn": ("warning", "warn"),
    "bad": ("error", "bad"),
}


class ToastView(msgspec.Struct, frozen=True):
    """A message.

    Attributes:
        id: Comes back in the signals. A toast of the same id replaces the older.
        action: Label of the one button; empty for none.
        stay_s: Seconds it stays; 0 until it is closed.
        fix: A second line: what can be done about it.
    """

    id: str
    text: str
    action: str = ""
    tone: Tone = "plain"
    stay_s: float = 8.0
    fix: str = ""


class Toast(QFrame):
    """One message. The clock stops while the pointer is on it or the focus is inside."""

    acted = Signal(str)
    gone = Signal(str)

    def __init__(self, view: ToastView) -> None:
        super().__init__()
        self.view = view
        self.setObjectName(f"toast_{view.id}")
        self.setAccessibleName(f"{view.text} {view.fix}".strip())
        self.setProperty("surface", "toast")
        mark = label("")
        name, role = _MARKS[view.tone]
        mark.setPixmap(icons.pixmap(name, role, 16, self.devicePixelRatioF()))
        words = column(2)
        words.addWidget(label(view.text, "body", wrap=True))
        if view.fix:
            words.addWidget(label(view.fix, "meta", "dim", wrap=True))
        line = row(theme.SPACE.s, (theme.SPACE.m, theme.SPACE.s, theme.SPACE.s, theme.SPACE.s))
        line.addWidget(mark)
        line.addLayout(words, 1)
        if view.action:
            self.act = button(view.action, f"toast_action_{view.id}", "quiet")
            self.act.setProperty("tone", "accent")
            self.act.clicked.connect(lambda: self.acted.emit(view.id))
            line.addWidget(self.act)
        close = icon_button("close", f"toast_close_{view.id}", self.tr("Close"))
        close.clicked.connect(lambda: self.gone.emit(view.id))
        line.addWidget(close)
        self.setLayout(line)
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.timeout.connect(lambda: self.gone.emit(view.id))
        self.start()

    def height_for(self, width_px: int) -> int:
        """The height its words need at a width."""
        self.ensurePolished()
        layout = self.layout()
        needed = layout.totalHeightForWidth(width_px) if layout is not None else 0
        return max(needed, self.minimumSizeHint().height())

    def start(self) -> None:
        """Let the clock run (again)."""
        if self.view.stay_s > 0:
            self._clock.start(round(self.view.stay_s * 1000))

    def enterEvent(self, event: QEnterEvent) -> None:
        """Notice the pointer."""
        self._clock.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the pointer."""
        self.start()
        super().leaveEvent(event)


class Toasts(QWidget):
    """Lies over a host widget, below its heading and clear of what is typed at its foot.

    Keeps the newest messages. Main thread.

    Signals:
        action_requested: The id of the toast whose button was pressed; the toast goes.
        expired: The id of a toast that went without its button being pressed.
    """

    action_requested = Signal(str)
    expired = Signal(str)

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.setObjectName("toasts")
        self._host = host
        self._shown: dict[str, Toast] = {}
        self._rows = column(theme.SPACE.s)
        self.setLayout(self._rows)
        host.installEventFilter(self)
        self.hide()

    def show_toast(self, view: ToastView) -> None:
        """Show a message; the oldest gives way to a fourth."""
        self.close_toast(view.id)
        while len(self._shown) >= _MOST:
            self._on_gone(next(iter(self._shown)))
        toast = Toast(view)
        toast.acted.connect(self._on_acted)
        toast.gone.connect(self._on_gone)
        self._shown[view.id] = toast
        self._rows.addWidget(toast)
        self._place()
        QAccessible.updateAccessibility(QAccessibleEvent(toast, QAccessible.Event.Alert))

    def close_toast(self, ident: str) -> None:
        """Take a message away without a signal."""
        toast = self._shown.pop(ident, None)
        if toast is not None:
            self._rows.removeWidget(toast)
            toast.hide()
            toast.deleteLater()
        self._place()

    def texts(self) -> list[str]:
        """What is shown, oldest first."""
        return [toast.view.text for toast in self._shown.values()]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Watch events of the watched widget."""
        if watched is self._host and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place()
        return super().eventFilter(watched, event)

    def _on_acted(self, ident: str) -> None:
        self.close_toast(ident)
        self.action_requested.emit(ident)

    def _on_gone(self, ident: str) -> None:
        self.close_toast(ident)
        self.expired.emit(ident)

    def _place(self) -> None:
        self.setVisible(bool(self._shown))
        if not self._shown:
            return
        width = min(theme.px(_WIDTH_PX), self._host.width() - 2 * theme.SPACE.l)
        height = sum(toast.height_for(width) for toast in self._shown.values())
        height += theme.SPACE.s * (len(self._shown) - 1)
        left = (self._host.width() - width) // 2
        self.setGeometry(left, theme.px(_TOP_PX), width, height)
        self.raise_()
