"""Colours are legible, modes switch everything, icons follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontInfo, QFontMetrics
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QWidget

from widgets import icons, parts, theme
from widgets.engine_pane.viewdata import ModelFileView
from widgets.models.model_list import ModelDelegate
from widgets.section_list import ListRow, SectionList
from widgets.theme import DARK, LIGHT, Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

SURFACES = ("bg", "panel", "card", "code")


@pytest.fixture
def app(qapp: QApplication) -> Iterator[QApplication]:
    yield qapp
    theme.apply(qapp, "light")


def luminance(value: str) -> float:
    color = QColor(value)
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("tone", "least"),
    [("text", 7.0), ("dim", 4.5), ("faint", 3.0), ("accent", 4.5), ("bad", 4.5), ("warn", 3.0)],
)
def test_text_is_legible_on_every_surface(
    tokens: Tokens, surface: str, tone: str, least: float
) -> None:
    values = msgspec.structs.asdict(tokens)
    assert contrast(values[tone], values[surface]) >= least


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_text_on_accent_and_on_soft_accent_is_legible(tokens: Tokens) -> None:
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert contrast(tokens.text, tokens.accent_soft) >= 7.0
    assert contrast(tokens.accent, tokens.accent_soft) >= 4.5


def test_modes_switch_palette_and_announce_it(app: QApplication, qtbot: QtBot) -> None:
    theme.apply(app, "light")
    with qtbot.waitSignal(theme.signals().changed):
        theme.apply(app, "dark")
    assert theme.current() is DARK
    assert theme.is_dark()
    assert app.palette().window().color() == QColor(DARK.bg)
    assert DARK.accent in app.styleSheet()
    theme.apply(app, "light")
    assert app.palette().window().color() == QColor(LIGHT.bg)
    assert DARK.accent not in app.styleSheet()


def test_system_mode_follows_the_system(app: QApplication) -> None:
    theme.apply(app, "system")
    dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
    assert theme.is_dark() == dark
    assert theme.mode() is theme.Mode.SYSTEM


def test_an_unknown_mode_is_refused(app: QApplication) -> None:
    with pytest.raises(ValueError, match="sepia"):
        theme.apply(app, "sepia")


def test_figures_are_tabular_also_under_the_style_sheet(app: QApplication, qtbot: QtBot) -> None:
    theme.apply(app, "light")
    label = QLabel("0")
    qtbot.addWidget(label)
    label.setFont(theme.font("meta"))
    label.ensurePolished()
    metrics = QFontMetrics(label.font())
    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("8888")
    assert QFontInfo(label.font()).pixelSize() == 12


def test_every_icon_draws_something_in_the_colour_asked_for(app: QApplication) -> None:
    theme.apply(app, "light")
    assert len(icons.names()) > 40
    for name in icons.names():
        image = icons.pixmap(name, "bad", 24, 2).toImage()
        inked = [
            image.pixelColor(x, y)
            for x in range(0, image.width(), 1)
            for y in range(0, image.height(), 1)
            if image.pixelColor(x, y).alpha() > 250
        ]
        assert inked, name
        assert all(abs(c.red() - QColor(LIGHT.bad).red()) < 8 for c in inked), name


def test_a_bound_icon_follows_the_theme(app: QApplication, qtbot: QtBot) -> None:
    theme.apply(app, "light")
    button = QPushButton()
    qtbot.addWidget(button)
    icons.bind(button, "trash", "text")
    light = button.icon().pixmap(24, 24).toImage()
    theme.apply(app, "dark")
    dark = button.icon().pixmap(24, 24).toImage()
    assert light != dark


def test_the_application_has_an_icon_for_every_usual_size(app: QApplication) -> None:
    made = icons.application_icon()
    for size_px in (16, 32, 48, 256):
        image = made.pixmap(size_px, size_px).toImage()
        assert image.width() == size_px
        ground, mark = image.pixelColor(1, size_px // 2), QColor(LIGHT.on_accent)
        assert ground == QColor(LIGHT.accent)
        assert any(
            image.pixelColor(size_px // 2, y).lightness() > mark.lightness() - 60
            for y in range(size_px)
        ), "no mark"


def test_the_size_of_text_changes_at_once_and_outlives_a_theme(
    qapp: QApplication, qtbot: QtBot
) -> None:
    theme.apply(qapp, "light")
    made = QWidget()
    qtbot.addWidget(made)
    plain, small = QLineEdit(made), parts.label("words", "meta")
    small.setParent(made)
    listed = SectionList("list", "List", ModelDelegate())
    listed.setParent(made)
    listed.set_rows([ListRow("a", "a", ModelFileView("a", "a", "Demo"))])
    theme.size(made, "FixedHeight", 40)
    made.show()

    def sizes() -> tuple[int, ...]:
        QApplication.processEvents()
        fonts = plain.font().pixelSize(), small.font().pixelSize()
        return *fonts, theme.font("mono").pixelSize(), made.height(), listed.sizeHintForRow(0)

    normal = sizes()
    assert normal == (13, 12, 12, 40, 48)
    try:
        theme.set_text_size(qapp, 26)
        assert sizes() == (26, 24, 24, 80, 96)
        theme.apply(qapp, "dark")
        parts.restyle(small, "tone", "warn")
        assert sizes() == (26, 24, 24, 80, 96)
        late = parts.label("later", "label")
        assert late.font().pixelSize() == 22
        # Text shrinks, and what icons stand in does not.
        theme.set_text_size(qapp, 10)
        assert sizes() == (10, 9, 9, 40, 37)
        theme.apply(qapp, "light")
        assert sizes() == (10, 9, 9, 40, 37)
    finally:
        theme.set_text_size(qapp, 13)
    assert sizes() == normal


@pytest.mark.parametrize("text_px", range(10, 29))
def test_a_size_tells_which_role_it_belongs_to(qapp: QApplication, text_px: int) -> None:
    theme.set_text_size(qapp, text_px)
    try:
        sizes = [theme.font(role).pixelSize() for role in ("label", "meta", "body", "title")]
        assert sizes == sorted(set(sizes))
        assert sizes[2] == text_px
    finally:
        theme.set_text_size(qapp, 13)
