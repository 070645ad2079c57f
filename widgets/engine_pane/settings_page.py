"""All settings inside the engine pane: the engine's and the reply's, each a generated form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QPushButton, QStackedWidget, QWidget

from engine.settings import EngineSettings, GenerationSettings, Group
from widgets import theme
from widgets.engine_pane.measure_link import MeasureLink
from widgets.parts import button, column, icon_button, label, row
from widgets.settings.later_form import LaterForm

if TYPE_CHECKING:
    from widgets.settings.hints import ValueHint


class SettingsPage(QWidget):
    """Two generated forms behind a switch.

    Attributes:
        measure: Beside the sizes and thread counts: the way to measure which are best.

    Signals:
        engine_edited: An `EngineSettings` the user changed.
        generation_edited: A `GenerationSettings` the user changed.
        form_shown: Which form is shown: the engine's (0) or the reply's (1).
        back_requested: The user wants the instruments back.
    """

    engine_edited = Signal(object)
    generation_edited = Signal(object)
    back_requested = Signal()
    form_shown = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("settings_page")
        self.measure = MeasureLink("measure_best_sizes")
        self.engine = LaterForm(
            EngineSettings(),
            leave_out=frozenset({"model_path"}),
            beside={Group.SPEED: self.measure},
        )
        self.generation = LaterForm(GenerationSettings())
        self.engine.edited.connect(self.engine_edited)
        self.generation.edited.connect(self.generation_edited)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.engine)
        self._stack.addWidget(self.generation)
        back = icon_button("chevron-left", "settings_back", self.tr("Back to the instruments"))
        back.clicked.connect(self.back_requested)
        self._choices = QButtonGroup(self)
        top = row(theme.SPACE.xs, (0, 0, theme.SPACE.s, 0))
        top.addWidget(back)
        top.addWidget(label(self.tr("Settings"), "title"), 1)
        for at, words in enumerate((self.tr("Engine"), self.tr("Reply"))):
            top.addWidget(self._choice(at, words))
        whole = column(theme.SPACE.m)
        whole.addLayout(top)
        whole.addWidget(self._stack, 1)
        self.setLayout(whole)

    def show_form(self, at: int) -> None:
        """Show the engine's settings (0) or the reply's (1)."""
        self._choices.button(at).setChecked(True)
        (self.engine, self.generation)[at].build()
        self._stack.setCurrentIndex(at)
        self.form_shown.emit(at)

    def focus_search(self) -> None:
        """Put the caret into the search of the form shown."""
        (self.engine, self.generation)[self._stack.currentIndex()].build().search.setFocus()

    def set_hints(self, hints: dict[str, ValueHint]) -> None:
        """Give the engine form what is known about its settings."""
        self.engine.set_hints(hints)

    def _choice(self, at: int, words: str) -> QPushButton:
        made = button(words, f"settings_form_{at}", "segment")
        made.setCheckable(True)
        made.setChecked(at == 0)
        made.clicked.connect(lambda: self.show_form(at))
        self._choices.addButton(made, at)
        return made
