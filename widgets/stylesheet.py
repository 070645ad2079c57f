"""The style sheet of the window, written from the colour tokens.

Widgets choose a look by dynamic properties rather than by name: ``kind`` on buttons (primary,
quiet, word, link, danger, icon, segment), ``surface`` on frames (panel, card, notice, bg), ``tone``
on labels (dim, faint, accent, warn, bad, ok). Fonts are never set here: a font in a style sheet
would lose the tabular figures.
"""

from __future__ import annotations

from string import Template

import msgspec
from PySide6.QtCore import QDir

from widgets.glyphs import glyph_folder


class Tokens(msgspec.Struct, frozen=True):
    """One set of colours, each ``#rrggbb``.

    The memory kinds (weights, kv, compute, other, free) keep their colour in every bar, ledger
    and chart. `on_accent` is text on the accent.
    """

    bg: str
    panel: str
    card: str
    line: str
    text: str
    dim: str
    faint: str
    code: str
    accent: str
    accent_soft: str
    on_accent: str
    violet: str
    rose: str
    slate: str
    weights: str
    kv: str
    compute: str
    other: str
    free: str
    warn: str
    bad: str
    ok: str


def style_sheet(tokens: Tokens) -> str:
    """The sheet for one set of colours. Registers the glyphs it refers to as ``glyphs:``."""
    folder = glyph_folder({"dim": tokens.dim, "accent": tokens.accent, "on": tokens.on_accent})
    QDir.setSearchPaths("glyphs", [str(folder.parent)])
    return Template(_SHEET).substitute(msgspec.structs.asdict(tokens), stamp=folder.name)


_SHEET = """
QMainWindow, QDialog { background: $bg; }
QToolTip { background: $card; color: $text; border: 1px solid $line; padding: 4px 6px; }

QFrame[surface="bg"] { background: $bg; border: none; }
QFrame[surface="panel"] { background: $panel; border: none; }
QFrame[surface="card"] { background: $card; border: 1px solid $line; border-radius: 10px; }
QFrame[surface="passage"] { background: $card; border: 1px solid $line; border-radius: 10px; }
QFrame[surface="passage"]:hover { border: 1px solid $faint; }
QFrame[surface="passage"]:focus { border: 1px solid $accent; }
QFrame[surface="key"] { background: $panel; border: 1px solid $line; border-radius: 5px; }
QFrame[surface="toast"] { background: $card; border: 1px solid $faint; border-radius: 10px; }
QFrame[surface="popup"] { background: $card; border: 1px solid $line; }
QFrame[surface="notice"] { background: $accent_soft; border: none; border-radius: 8px; }
QFrame[surface="line"] { background: $line; border: none; }

QLabel { background: transparent; }
QLabel[tone="dim"] { color: $dim; }
QLabel[tone="faint"] { color: $faint; }
QLabel[tone="accent"] { color: $accent; }
QLabel[tone="on_accent"] { color: $on_accent; }
QLabel[tone="on_accent_dim"] { color: $accent_soft; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="bad"] { color: $bad; }
QLabel[tone="ok"] { color: $ok; }

QPushButton, QToolButton {
    background: $card; color: $text; border: 1px solid $line; border-radius: 8px;
    padding: 6px 12px; outline: none;
}
QPushButton:hover, QToolButton:hover { background: $free; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:focus, QToolButton:focus { border: 1px solid $accent; }
QPushButton:disabled, QToolButton:disabled { color: $faint; background: $panel; }
QPushButton::menu-indicator, QToolButton::menu-indicator { image: none; width: 0; }

QPushButton[kind="primary"] { background: $accent; color: $on_accent; border-color: $accent; }
QPushButton[kind="primary"]:hover { background: $kv; border-color: $kv; }
QPushButton[kind="primary"]:pressed { background: $accent; }
QPushButton[kind="primary"]:focus { border: 2px solid $text; padding: 5px 11px; }
QPushButton[kind="primary"]:disabled { background: $free; color: $faint; border-color: $free; }

QPushButton[kind="danger"] { color: $bad; }

QPushButton[kind="quiet"], QToolButton[kind="quiet"], QToolButton[kind="icon"] {
    background: transparent; border: 1px solid transparent; color: $dim; padding: 4px 8px;
}
QToolButton[kind="icon"] { padding: 4px; }
QPushButton[kind="quiet"]:hover, QToolButton[kind="quiet"]:hover, QToolButton[kind="icon"]:hover {
    background: $free; color: $text;
}
QPushButton[kind="quiet"][tone="accent"] { color: $accent; }
QPushButton[kind="quiet"]:focus, QToolButton[kind="quiet"]:focus, QToolButton[kind="icon"]:focus {
    border: 1px solid $accent;
}
QPushButton[kind="quiet"]:disabled, QToolButton[kind="icon"]:disabled { color: $faint; }

QPushButton[kind="word"] {
    background: transparent; border: none; color: $dim; padding: 4px 9px; text-align: left;
}
QPushButton[kind="word"]:hover { color: $text; }
QPushButton[kind="word"]:focus { color: $accent; text-decoration: underline; }

QPushButton[kind="link"] {
    background: transparent; border: 1px solid transparent; color: $accent; padding: 0 2px;
    border-radius: 4px;
}
QPushButton[kind="link"]:hover { text-decoration: underline; }
QPushButton[kind="link"]:focus { border: 1px solid $accent; }
QPushButton[kind="link"]:disabled { color: $faint; }

QPushButton[kind="name"] {
    background: transparent; border: 1px solid transparent; color: $text; padding: 0 2px;
    border-radius: 4px;
}
QPushButton[kind="name"]:hover { color: $accent; text-decoration: underline; }
QPushButton[kind="name"]:focus { border: 1px solid $accent; }

QPushButton[kind="segment"] {
    background: transparent; border: 1px solid transparent; color: $dim; padding: 7px 9px;
}
QPushButton[kind="segment"]:hover { color: $text; }
QPushButton[kind="segment"]:checked { background: $card; border-color: $line; color: $text; }
QPushButton[kind="segment"]:focus { border-color: $accent; }

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
    background: $card; color: $text; border: 1px solid $line; border-radius: 8px;
    padding: 5px 8px; selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:hover, QComboBox:hover, QSpinBox:hover, QDoubleSpinBox:hover { border-color: $faint; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QComboBox:focus, QComboBox:on { border: 1px solid $accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled,
QComboBox:disabled { color: $faint; background: $panel; }
QLineEdit[bare="true"], QPlainTextEdit[bare="true"], QTextEdit[bare="true"] {
    background: transparent; border: none; padding: 0;
}
QDoubleSpinBox[bare="true"] {
    background: transparent; border: 1px solid transparent; padding: 3px 4px;
}
QDoubleSpinBox[bare="true"]:hover { border-color: $line; }
QDoubleSpinBox[bare="true"]:focus { border-color: $accent; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
QDoubleSpinBox::down-button { width: 0; border: none; }

QComboBox { padding-left: 7px; padding-right: 2px; combobox-popup: 0; outline: none; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: url(glyphs:$stamp/chevron-dim.svg); width: 12px; height: 12px; }
QComboBox QAbstractItemView {
    background: $card; color: $text; border: 1px solid $line; padding: 4px; outline: none;
    selection-background-color: $accent_soft; selection-color: $text;
}
QComboBox QAbstractItemView::item { min-height: 26px; padding: 0 6px; border-radius: 5px; }
QComboBox QAbstractItemView::item:selected { background: $accent_soft; color: $text; }
QComboBox QAbstractItemView::item:disabled { color: $faint; }

QCheckBox, QRadioButton { spacing: 8px; background: transparent; outline: none; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $faint; border-radius: 4px;
    background: $card; }
QCheckBox::indicator:hover, QCheckBox::indicator:focus { border-color: $accent; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent;
    image: url(glyphs:$stamp/check-on.svg); }
QCheckBox::indicator:disabled { border-color: $line; background: $panel; }
QCheckBox:focus { color: $accent; }

QMenu { background: $card; border: 1px solid $line; border-radius: 8px; padding: 4px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 5px; color: $text; }
QMenu::item:selected { background: $accent_soft; }
QMenu::item:disabled { color: $faint; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::indicator { width: 14px; height: 14px; margin-left: 6px; }
QMenu::indicator:checked { image: url(glyphs:$stamp/check-accent.svg); }

QScrollArea, QAbstractScrollArea { border: none; }
QScrollArea { background: transparent; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar:vertical { background: transparent; width: 8px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 8px; margin: 0; }
QScrollBar::handle { background: $line; border-radius: 2px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; border: none; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QListView, QTreeView, QTableView { background: transparent; border: none; outline: none; }
QHeaderView { background: transparent; border: none; }
QHeaderView::section { background: transparent; color: $dim; border: none;
    border-bottom: 1px solid $line; padding: 6px 8px; }
QTableView { gridline-color: $line; selection-background-color: $accent_soft;
    selection-color: $text; }

QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QSplitter::handle:hover { background: $accent; }

QFileDialog QToolButton { padding: 4px; }
QFileDialog QListView, QFileDialog QTreeView { background: $card; }

QProgressBar { background: $free; border: none; border-radius: 3px; max-height: 6px;
    min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
"""
