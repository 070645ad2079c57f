"""A whole declaration as a searchable, grouped form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from engine.errors import UserError
from engine.settings import changed, setting_infos, validated
from widgets import theme
from widgets.parts import ScrollColumn, SectionHeading, button, column, label, row
from widgets.search_line import SearchLine
from widgets.settings.row import SettingRow, cost_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.settings import SettingInfo
    from widgets.settings.hints import ValueHint


class SettingsForm(QWidget):
    """Rows for all settings of a declaration, in its groups and order.

    Holds the value being edited; what the user changes is validated first and only then reported.

    Args:
        values: What is edited at first.
        leave_out: Settings without a row.
        beside: What stands at the right of a group's heading, by group.

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
        self._values = values
        self._beside = beside or {}
        self.setObjectName(f"form_{type(values).__name__}")
        self._rows: dict[str, SettingRow] = {}
        self._sections: list[tuple[QWidget, list[SettingRow]]] = []
        self.search = SearchLine("settings_search", self.tr("Search settings"))
        self.search.textChanged.connect(self.show_matching)
        self._nothing = label(self.tr("No setting has these words."), "body", "dim", wrap=True)
        self._nothing.hide()
        self._count = label("", "label", "dim")
        self._reset_all = button(self.tr("Reset all"), "settings_reset_all", "link")
        self._reset_all.clicked.connect(self._on_reset_all)
        self.setLayout(self._arranged(leave_out))
        self.set_values(values)

    def values(self) -> msgspec.Struct:
        """The settings as edited."""
        return self._values

    def set_values(self, values: msgspec.Struct) -> None:
        """Show settings without reporting them."""
        self._values = values
        for name, line in self._rows.items():
            line.set_value(getattr(values, name))
        count = len([name for name in changed(values) if name in self._rows])
        self._count.setText(self.tr("{n} changed from the default").format(n=count))
        self._count.setVisible(bool(count))
        self._reset_all.setVisible(bool(count))

    def set_hints(self, hints: dict[str, ValueHint]) -> None:
        """Give rows what is known about their settings."""
        for name, hint in hints.items():
            if name in self._rows:
                self._rows[name].set_hint(hint)

    def set_problems(self, problems: dict[str, str]) -> None:
        """Show a sentence under the rows it is about."""
        for name, line in self._rows.items():
            line.set_problem(problems.get(name, ""))

    def show_matching(self, text: str) -> None:
        """Show only the rows that hold all words."""
        words = text.lower().split()
        found = False
        for heading, rows in self._sections:
            any_here = False
            for line in rows:
                matches = line.matches(words)
                line.setVisible(matches)
                any_here = any_here or matches
            heading.setVisible(any_here)
            found = found or any_here
        self._nothing.setVisible(not found)

    def row_for(self, name: str) -> SettingRow:
        """The row of a setting; KeyError when it is left out."""
        return self._rows[name]

    def _arranged(self, leave_out: frozenset[str]) -> Any:  # noqa: ANN401
        body = column(theme.SPACE.xs, (0, 0, 0, theme.SPACE.l))
        for info in setting_infos(type(self._values)):
            if info.name not in leave_out:
                self._add(body, info)
        body.addWidget(self._nothing)
        body.addStretch(1)
        status = row(theme.SPACE.s, (0, 0, theme.SPACE.s, 0))
        status.addWidget(self._count)
        status.addStretch(1)
        status.addWidget(self._reset_all)
        whole = column(theme.SPACE.s)
        above = row(0, (0, 0, theme.SPACE.s, 0))
        above.addWidget(self.search)
        whole.addLayout(above)
        whole.addLayout(status)
        whole.addWidget(ScrollColumn(body, "settings_scroll"), 1)
        return whole

    def _add(self, body: Any, info: SettingInfo) -> None:  # noqa: ANN401
        if not self._sections or self._sections[-1][0].property("group") != info.group:
            heading = SectionHeading(info.group, f"group_{info.group}")
            heading.setProperty("group", info.group)
            heading.setContentsMargins(0, theme.SPACE.m, 0, 0)
            if info.group in self._beside:
                heading.add(self._beside[info.group])
            body.addWidget(heading)
            self._sections.append((heading, []))
        line = SettingRow(info)
        line.edited.connect(self._on_edited)
        self._rows[info.name] = line
        self._sections[-1][1].append(line)
        body.addWidget(line)
        costs = {each.info.cost for each in self._sections[-1][1]}
        heading_widget = self._sections[-1][0]
        if isinstance(heading_widget, SectionHeading):
            words = cost_words(next(iter(costs))) if len(costs) == 1 else ""
            heading_widget.set_value(words, detail=self.tr("What applying a change takes"))

    def _on_edited(self, name: str, value: object) -> None:
        line = self._rows[name]
        try:
            values = validated(self._values, **{name: value})
        except UserError as error:
            line.set_problem(f"{error.message} {error.fix}".strip())
            return
        line.set_problem("")
        self.set_values(values)
        self.edited.emit(values)

    def _on_reset_all(self) -> None:
        kept = {
            info.name: getattr(self._values, info.name)
            for info in setting_infos(type(self._values))
            if info.name not in self._rows
        }
        self.set_values(msgspec.structs.replace(type(self._values)(), **kept))
        self.edited.emit(self._values)
