"""A question before something that cannot be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets import theme
from widgets.dialogs.base import Sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class Confirm(Sheet):
    """Asks once. `accepted` and `rejected` are the answer; Esc and Enter both keep things safe."""

    def __init__(
        self, parent: QWidget | None, title: str, text: str, act: str, *, is_danger: bool = False
    ) -> None:
        super().__init__(parent, "confirm", title, text)
        theme.size(self, "MinimumWidth", 400)
        self.foot.addStretch(1)
        self.cancel = self.add_button(self.tr("Cancel"), "confirm_cancel")
        self.act = self.add_button(act, "confirm_act", "danger" if is_danger else "primary")
        self.cancel.clicked.connect(self.reject)
        self.act.clicked.connect(self.accept)
        (self.cancel if is_danger else self.act).setDefault(True)
        (self.cancel if is_danger else self.act).setFocus()
