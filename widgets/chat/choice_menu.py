"""A menu of choices, some of them one of a group."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from widgets.chat.plaintext import neutralised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtWidgets import QWidget

    from widgets.chat.viewdata import ChoiceView


def add_choices(
    menu: QMenu, choices: Sequence[ChoiceView], on_chosen: Callable[[str], None]
) -> None:
    """Fill a menu; a new group begins with its name.

    Args:
        menu: What is filled.
        choices: What can be chosen.
        on_chosen: Given the id of what was chosen.
    """
    groups: dict[str, QActionGroup] = {}
    heading = ""
    for choice in choices:
        if choice.group != heading:
            menu.addSeparator()
            heading = choice.group
            if heading:
                menu.addAction(heading).setEnabled(False)
        action = menu.addAction(choice.label, partial(on_chosen, choice.id))
        action.setObjectName(f"choice_{choice.id}")
        if choice.is_chosen is not None:
            action.setCheckable(True)
            action.setChecked(choice.is_chosen)
            if choice.group not in groups:
                groups[choice.group] = QActionGroup(menu)
            groups[choice.group].addAction(action)


class ChoiceMenu(QMenu):
    """Says what it is about, then what can be done. Goes when it is closed.

    Signals:
        chosen: Id of the choice.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget, about: str, choices: Sequence[ChoiceView]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("choiceMenu")
        self.setAccessibleName(about)
        for line in about.splitlines():
            # An ampersand would become an underline.
            self.addAction(neutralised(line).replace("&", "&&")).setEnabled(False)
        self.addSeparator()
        add_choices(self, choices, self.chosen.emit)
