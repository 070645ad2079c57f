"""The sheet behind F1: every key of the window, from the declared list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from widgets import theme
from widgets.dialogs.base import Sheet
from widgets.parts import SectionHeading, column, frame, label, row

if TYPE_CHECKING:
    from widgets.actions import ActionSpec


class ShortcutsHelp(Sheet):
    """Two columns of commands by group. Esc closes."""

    @classmethod
    def title(cls) -> str:
        """What the window is called."""
        return QCoreApplication.translate("Dialogs", "Keyboard shortcuts")

    def __init__(self, parent: QWidget | None, specs: tuple[ActionSpec, ...]) -> None:
        super().__init__(parent, "shortcuts_help", self.title())
        theme.size(self, "MinimumWidth", 760)
        groups: dict[str, list[ActionSpec]] = {}
        for spec in specs:
            groups.setdefault(spec.group, []).append(spec)
        halves = (column(theme.SPACE.l), column(theme.SPACE.l))
        filled = [0, 0]
        for title, members in groups.items():
            at = 0 if filled[0] <= filled[1] else 1
            filled[at] += len(members) + 2
            halves[at].addWidget(self._group(title, members))
        columns = row(theme.SPACE.xl * 2)
        for half in halves:
            half.addStretch(1)
            columns.addLayout(half, 1)
        self.body.addLayout(columns)
        self.foot.addStretch(1)
        close = self.add_button(self.tr("Close"), "shortcuts_close")
        close.clicked.connect(self.accept)
        close.setDefault(True)

    def _group(self, title: str, members: list[ActionSpec]) -> QWidget:
        whole = column(theme.SPACE.s)
        whole.addWidget(SectionHeading(title, f"shortcuts_{title}"))
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(6)
        for at, spec in enumerate(members):
            words = label(QCoreApplication.translate("Actions", spec.title), wrap=True)
            grid.addWidget(words, at, 0)
            grid.addLayout(
                _keys(spec), at, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
        grid.setColumnStretch(0, 1)
        whole.addLayout(grid)
        made = QWidget()
        made.setLayout(whole)
        return made


def _keys(spec: ActionSpec) -> QHBoxLayout:
    line = row(theme.SPACE.xs)
    for keys in spec.keys:
        cap = frame("key")
        inside = row(0, (6, 1, 6, 1))
        native = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
        inside.addWidget(label(native or keys, "meta", "dim"))
        cap.setLayout(inside)
        line.addWidget(cap)
    return line
