"""Line icons: the SVGs of `assets/icons`, recoloured with a token when they are drawn.

`icon()` gives a `QIcon` in today's colours; `bind()` also keeps a button's icon in step with the
theme; `pixmap()` is for delegates that paint; `application_icon()` is what the desktop shows.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Final

import shiboken6
from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

import assets
from widgets import theme

_FOLDER: Final = assets.FOLDER / "icons"
_SCALES: Final = (1.0, 2.0)
_APPLICATION_SIZES_PX: Final = (16, 24, 32, 48, 64, 128, 256)

Target = QAbstractButton | QAction


def names() -> list[str]:
    """Every icon there is."""
    return sorted(file.stem for file in _FOLDER.glob("*.svg"))


def icon(name: str, role: str = "dim", size_px: int = 16) -> QIcon:
    """An icon in the colour of a token, greyed when its widget is disabled.

    It is drawn for the scale of the screen as well as for the usual ones.

    Args:
        name: File name in `assets/icons` without its ending.
        role: Token name, e.g. ``dim``, ``text``, ``accent``, ``on_accent``, ``bad``.
        size_px: The size at which it is shown.
    """
    made = QIcon()
    for scale in sorted({*_SCALES, _screen_scale()}):
        made.addPixmap(pixmap(name, role, size_px, scale), QIcon.Mode.Normal)
        made.addPixmap(pixmap(name, "faint", size_px, scale), QIcon.Mode.Disabled)
    return made


def pixmap(name: str, role: str = "dim", size_px: int = 16, scale: float = 1.0) -> QPixmap:
    """One drawing of an icon, cached per colour, size and device pixel ratio."""
    return _drawn(name, str(getattr(theme.current(), role)), size_px, scale)


def application_icon() -> QIcon:
    """The mark on a tile, for title bars and task lists; it does not follow the theme."""
    made = QIcon()
    for size_px in _APPLICATION_SIZES_PX:
        made.addPixmap(_tile(size_px))
    return made


def bind(target: Target, name: str, role: str = "dim", size_px: int = 16) -> None:
    """Set the icon of a button or action, and set it again whenever the theme changes."""
    if not _bound:
        theme.signals().changed.connect(_redraw_bound)
    _bound[target] = (name, role, size_px)
    target.setIcon(icon(name, role, size_px))
    if isinstance(target, QAbstractButton):
        target.setIconSize(QSize(size_px, size_px))


_bound: weakref.WeakKeyDictionary[Target, tuple[str, str, int]] = weakref.WeakKeyDictionary()


def _redraw_bound() -> None:
    for target, drawn_as in list(_bound.items()):
        if shiboken6.isValid(target):
            target.setIcon(icon(*drawn_as))


def _screen_scale() -> float:
    screen = QGuiApplication.primaryScreen()
    return screen.devicePixelRatio() if screen else 1.0


def _tile(size_px: int) -> QPixmap:
    tile = QPixmap(size_px, size_px)
    tile.fill(Qt.GlobalColor.transparent)
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.LIGHT.accent))
    painter.drawRoundedRect(QRectF(tile.rect()), size_px * 0.2, size_px * 0.2)
    mark = _drawn("leadline", theme.LIGHT.on_accent, size_px, 1.0)
    painter.drawPixmap(0, 0, mark)
    painter.end()
    return tile


@lru_cache(maxsize=512)
def _drawn(name: str, color: str, size_px: int, scale: float) -> QPixmap:
    drawn = QPixmap(round(size_px * scale), round(size_px * scale))
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    _renderer(name, color).render(painter, QRectF(drawn.rect()))
    painter.end()
    drawn.setDevicePixelRatio(scale)
    return drawn


@lru_cache(maxsize=16)
def _renderer(name: str, color: str) -> QSvgRenderer:
    """What was read of an icon, which is drawn in several sizes in turn."""
    return QSvgRenderer(QByteArray(_source(name).replace("currentColor", color).encode()))


@lru_cache(maxsize=128)
def _source(name: str) -> str:
    return (_FOLDER / f"{name}.svg").read_text(encoding="utf-8")
