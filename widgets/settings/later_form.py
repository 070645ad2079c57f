"""A settings form that is built when it is first shown, so that a window opens quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from widgets.parts import column
from widgets.settings.form import SettingsForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

    from widgets.settings.hints import ValueHint


class LaterForm(QWidget):
    """Keeps what a form is to show until there is one. Main thread.

    Signals:
        edited: The whole settings value after a change by the user.
    """

    edited = Signal(object)

    def __init__(
        self,
        values: msgspec.Struct,
        leave_out: frozenset[str] = frozenset(),
        beside: Mapping[str, QWidget] | None = None,
    ) -> None:
        super().__init__()
        self._values, self._leave_out, self._beside = values, leave_out, beside
        self._hints: dict[str, ValueHint] = {}
        self._problems: dict[str, str] = {}
        self._form: SettingsForm | None = None
        self._layout = column()
        self.setLayout(self._layout)

    def build(self) -> SettingsForm:
        """The form, made now if it was not before."""
        if self._form is None:
            self._form = SettingsForm(self._values, self._leave_out, self._beside)
            self._form.set_hints(self._hints)
            self._form.set_problems(self._problems)
            self._form.edited.connect(self._on_edited)
            self._layout.addWidget(self._form)
        return self._form

    def values(self) -> msgspec.Struct:
        """The settings as edited."""
        return self._values

    def set_values(self, values: msgspec.Struct) -> None:
        """Show settings without reporting them."""
        if values == self._values:
            return
        self._values = values
        if self._form is not None:
            self._form.set_values(values)

    def set_hints(self, hints: dict[str, ValueHint]) -> None:
        """Give rows what is known about their settings."""
        self._hints = hints
        if self._form is not None:
            self._form.set_hints(hints)

    def set_problems(self, problems: dict[str, str]) -> None:
        """Show a sentence under the rows it is about."""
        self._problems = problems
        if self._form is not None:
            self._form.set_problems(problems)

    def _on_edited(self, values: msgspec.Struct) -> None:
        self._values = values
        self.edited.emit(values)
