"""Colours, type and spacing of the window, and how they are put on a `QApplication`.

What lives here: the two token sets, the fonts, the mode (system, light, dark), the size of the text
and the palette. Whatever holds text takes its measures in pixels through `px` or `size`, so that it
grows with the text.
The style sheet built from the tokens is in `widgets.stylesheet`; icons are in `widgets.icons`.
Painted widgets read `current()` inside `paintEvent`, so that they follow a change by themselves.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

import assets
from widgets.stylesheet import Tokens, style_sheet

__all__ = [
    "ARGUMENTS",
    "DARK",
    "LIGHT",
    "RADIUS",
    "READING_WIDTH_PX",
    "SPACE",
    "Mode",
    "Radius",
    "Space",
    "Tokens",
    "apply",
    "color",
    "current",
    "font",
    "is_dark",
    "mode",
    "prepare",
    "px",
    "signals",
    "size",
]

FontRole = Literal["body", "title", "meta", "label", "mono"]
Measure = Literal[
    "FixedHeight", "FixedWidth", "MinimumHeight", "MinimumWidth", "MaximumHeight", "MaximumWidth"
]

# `faint` is a step stronger than the drawings have it: there it fell below 3:1 on every surface.
LIGHT: Final = Tokens(
    bg="#f6f6f4",
    panel="#fbfbfa",
    card="#ffffff",
    line="#e4e3df",
    text="#1c1c1a",
    dim="#6b6962",
    faint="#8d8a82",
    code="#f2f1ed",
    accent="#0b6e6e",
    accent_soft="#dcefee",
    on_accent="#ffffff",
    violet="#7a5aa6",
    rose="#b0507f",
    slate="#5c6470",
    weights="#3f6f8f",
    kv="#0b8a83",
    compute="#b98a2f",
    other="#b9b6ad",
    free="#ecebe7",
    warn="#b26b00",
    bad="#b42318",
    ok="#2f7d4f",
)
DARK: Final = Tokens(
    bg="#161718",
    panel="#1b1c1e",
    card="#212325",
    line="#303336",
    text="#e8e6e1",
    dim="#9b988f",
    faint="#7a786f",
    code="#191a1c",
    accent="#4fc3bd",
    accent_soft="#173a39",
    on_accent="#10201f",
    violet="#a58bd0",
    rose="#dd86b0",
    slate="#98a1ae",
    weights="#6d9dbd",
    kv="#3fb8af",
    compute="#d1a551",
    other="#55534d",
    free="#2a2c2f",
    warn="#e0a030",
    bad="#f0736a",
    ok="#62b884",
)


class Space(msgspec.Struct, frozen=True):
    """Distances on the 4-px grid."""

    xs: int = 4
    s: int = 8
    m: int = 12
    l: int = 16  # noqa: E741 - the letter of the size, beside s and m
    xl: int = 24


class Radius(msgspec.Struct, frozen=True):
    """Corner radii by kind of surface."""

    bar: int = 5
    control: int = 8
    card: int = 10
    composer: int = 14


# An application is made with it: to set it afterwards, PySide would make its class of `QStyle`,
# which takes longer than that of any other and which the first paint can do without.
ARGUMENTS: Final = ("-style", "Fusion")
SPACE: Final = Space()
RADIUS: Final = Radius()
READING_WIDTH_PX: Final = 720

_SIZE_PX: Final[dict[FontRole, int]] = {
    "body": 13,
    "title": 15,
    "meta": 12,
    "label": 11,
    "mono": 12,
}
_NORMAL_PX: Final = _SIZE_PX["body"]
_MEASURES: Final = "text_measures"
_NORMAL: Final = "text_normal_px"
_FONT_FILES: Final = ("Inter-Regular.otf", "Inter-Italic.otf", "Inter-SemiBold.otf")


class Mode(StrEnum):
    """Which of the two token sets is shown."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class ThemeSignals(QObject):
    """Speaks on the main thread; `changed` comes when colours or sizes of text are in place."""

    changed = Signal()


class _Theme:
    """The one theme of the process. Qt's application object is one too."""

    def __init__(self) -> None:
        self.tokens = LIGHT
        self.mode = Mode.SYSTEM
        self.text_px = _NORMAL_PX
        # Whether widgets may be there that were made for another size of text.
        self.is_resized = False
        # Whose palette and whose style sheet the application has.
        self.painted: Tokens | None = None
        self.dressed: Tokens | None = None
        self.family = ""
        self.signals: ThemeSignals | None = None
        self.followed: QApplication | None = None


_theme = _Theme()


def current() -> Tokens:
    """The colours in force."""
    return _theme.tokens


def is_dark() -> bool:
    """Whether the dark set is in force."""
    return _theme.tokens is DARK


def mode() -> Mode:
    """What the user asked for, which may be to follow the system."""
    return _theme.mode


def color(name: str, alpha: float = 1.0) -> QColor:
    """A token as a `QColor`, e.g. ``color("accent")``."""
    value = QColor(str(getattr(_theme.tokens, name)))
    value.setAlphaF(alpha)
    return value


def signals() -> ThemeSignals:
    """Where a change of theme is announced."""
    if _theme.signals is None:
        _theme.signals = ThemeSignals()
    return _theme.signals


def px(normal: float) -> int:
    """A measure of something that holds text, grown or shrunk with it.

    Args:
        normal: Pixels at the normal size of text.
    """
    return round(normal * _theme.text_px / _NORMAL_PX)


def size(widget: QWidget, measure: Measure, normal: int) -> None:
    """Set a measure of a widget that holds text: now, and whenever the size of text changes.

    It grows with the text and does not shrink with it: icons and edges keep their size.

    Args:
        widget: Whose measure it is.
        measure: Which one.
        normal: Pixels at the normal size of text.
    """
    kept: dict[Measure, int] = widget.property(_MEASURES) or {}
    widget.setProperty(_MEASURES, kept | {measure: normal})
    _measure(widget, measure, normal)


def _measure(widget: QWidget, measure: Measure, normal: int) -> None:
    getattr(widget, f"set{measure}")(max(normal, px(normal)))


def prepare(app: QApplication, wanted: Mode | str = Mode.SYSTEM, text_px: int = _NORMAL_PX) -> None:
    """Put everything but the style sheet on the application: what widgets are made with.

    For a window that is put together before it is shown; `apply` follows. Under a style sheet Qt
    polishes a widget, with all that is in it, each time it is given a parent: a tree made from its
    leaves would be polished once for every level.

    Args:
        app: The running application.
        wanted: ``system``, ``light`` or ``dark``.
        text_px: Height of the text that most of the window is written in.
    """
    _theme.mode = Mode(wanted)
    _theme.text_px = text_px
    if _theme.followed is not app:
        _theme.followed = app
        _theme.painted = None
        _load_fonts()
        app.styleHints().colorSchemeChanged.connect(_on_color_scheme_changed)
    _take_colors(app)


def apply(app: QApplication, wanted: Mode | str = Mode.SYSTEM) -> None:
    """Put style, palette, fonts and style sheet on the application, and follow the system.

    Args:
        app: The running application.
        wanted: ``system``, ``light`` or ``dark``.
    """
    prepare(app, wanted, _theme.text_px)
    _dress(app)


def set_text_size(app: QApplication, text_px: int) -> None:
    """Show all text of the application in another size, at once.

    Args:
        app: The running application.
        text_px: Height of the text that most of the window is written in.
    """
    if text_px == _theme.text_px:
        return
    # No two roles of different sizes are ever drawn alike: a size tells which it is.
    normal_of = {_font_px(role): normal for role, normal in _SIZE_PX.items()}
    _theme.text_px = text_px
    _theme.is_resized = True
    app.setFont(font("body"))
    _resize_all(app, normal_of)
    signals().changed.emit()


def _resize_all(app: QApplication, normal_of: dict[int, int]) -> None:
    """Give all widgets the size of text in force.

    Under a style sheet the font of the application reaches no widget that is there already, and
    each new sheet brings back the fonts that widgets were made with: each one is told, and what it
    was told first stays known.
    """
    for widget in app.allWidgets():
        own = widget.font()
        normal: int | None = widget.property(_NORMAL) or normal_of.get(own.pixelSize())
        if normal is not None:
            widget.setProperty(_NORMAL, normal)
            own.setPixelSize(px(normal))
            widget.setFont(own)
        kept: dict[Measure, int] = widget.property(_MEASURES) or {}
        for measure, at_normal in kept.items():
            _measure(widget, measure, at_normal)
        if isinstance(widget, QAbstractItemView):
            widget.scheduleDelayedItemsLayout()
        widget.updateGeometry()


def _font_px(role: FontRole) -> int:
    return px(_SIZE_PX[role])


def font(role: FontRole = "body", *, strong: bool = False) -> QFont:
    """The font of a role, with tabular figures.

    Args:
        role: At the normal size ``body`` 13 px, ``title`` 15 px, ``meta`` 12 px, ``label`` 11 px,
            ``mono`` for code.
        strong: Semi-bold; a title always is.
    """
    if role == "mono":
        made = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    else:
        made = QFont(_theme.family) if _theme.family else QFont()
        made.setFeature(QFont.Tag("tnum"), 1)
    made.setPixelSize(_font_px(role))
    # Said of both: a label would take over a weight that it does not say from its button.
    heavy = strong or role == "title"
    made.setWeight(QFont.Weight.DemiBold if heavy else QFont.Weight.Normal)
    return made


def _load_fonts() -> None:
    """Register the bundled Inter unless the system has its own."""
    if not QFontDatabase.hasFamily("Inter"):
        for name in _FONT_FILES:
            file = assets.FOLDER / "fonts" / name
            if file.is_file():
                QFontDatabase.addApplicationFont(str(file))
    _theme.family = "Inter" if QFontDatabase.hasFamily("Inter") else ""


def _on_color_scheme_changed(_scheme: Qt.ColorScheme) -> None:
    if _theme.followed is not None and _theme.mode is Mode.SYSTEM:
        _take_colors(_theme.followed)
        _dress(_theme.followed)


def _take_colors(app: QApplication) -> None:
    if _theme.mode is Mode.SYSTEM:
        dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
    else:
        dark = _theme.mode is Mode.DARK
    tokens = DARK if dark else LIGHT
    if _theme.painted is not tokens:
        _theme.tokens = _theme.painted = tokens
        app.setPalette(_palette(tokens))
        app.setFont(font("body"))


def _dress(app: QApplication) -> None:
    """Put the style sheet of today's colours on, unless it is."""
    if _theme.dressed is _theme.tokens and app.styleSheet():
        return
    _theme.dressed = _theme.tokens
    app.setStyleSheet(style_sheet(_theme.tokens))
    if _theme.is_resized:
        _resize_all(app, {_font_px(role): normal for role, normal in _SIZE_PX.items()})
    signals().changed.emit()


def _palette(tokens: Tokens) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for name, value in (
        (role.Window, tokens.bg),
        (role.WindowText, tokens.text),
        (role.Base, tokens.card),
        (role.AlternateBase, tokens.panel),
        (role.Text, tokens.text),
        (role.Button, tokens.card),
        (role.ButtonText, tokens.text),
        (role.BrightText, tokens.bad),
        (role.PlaceholderText, tokens.faint),
        (role.ToolTipBase, tokens.card),
        (role.ToolTipText, tokens.text),
        (role.Highlight, tokens.accent),
        (role.HighlightedText, tokens.on_accent),
        (role.Accent, tokens.accent),
        (role.Link, tokens.accent),
        (role.LinkVisited, tokens.accent),
        (role.Light, tokens.card),
        (role.Midlight, tokens.free),
        (role.Mid, tokens.line),
        (role.Dark, tokens.line),
        (role.Shadow, tokens.line),
    ):
        palette.setColor(name, QColor(value))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(tokens.faint))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(tokens.free))
    return palette
