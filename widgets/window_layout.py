"""What is remembered of the window: geometry, widths of the panes, and which are folded."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import msgspec
from PySide6.QtCore import QSize

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_FRAME_PX: Final = 40


class WindowLayout(msgspec.Struct, frozen=True, kw_only=True):
    """Kept as opaque bytes by the application.

    Attributes:
        geometry: Qt's own saved geometry, base64.
        sidebar_px, engine_px: Widths of the side panes.
        sidebar_shown, engine_shown: Whether they are shown in a wide window.
    """

    version: int = 1
    geometry: str = ""
    sidebar_px: int = 232
    engine_px: int = 340
    sidebar_shown: bool = True
    engine_shown: bool = True

    def geometry_bytes(self) -> bytes:
        """Qt's saved geometry; empty when it cannot be read."""
        try:
            return base64.b64decode(self.geometry, validate=True)
        except (binascii.Error, ValueError):
            return b""


def encoded(layout: WindowLayout) -> bytes:
    """A layout as bytes."""
    return msgspec.json.encode(layout)


def decoded(stored: bytes) -> WindowLayout:
    """A layout from bytes; the default when they are damaged or of another version."""
    try:
        layout = msgspec.json.decode(stored, type=WindowLayout)
    except msgspec.DecodeError:
        return WindowLayout()
    return layout if layout.version == 1 else WindowLayout()


def fit_to_screen(window: QWidget) -> None:
    """Make a window that was never shown no larger than its screen: small, or scaled up."""
    if window.isMaximized() or window.isFullScreen():
        return
    room = window.screen().availableGeometry()
    # Its frame has no size before it is shown.
    most = QSize(room.width(), room.height() - _FRAME_PX)
    window.resize(window.size().boundedTo(most))
