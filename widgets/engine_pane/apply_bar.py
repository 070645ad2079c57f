"""Revert and Apply, with what applying costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from engine.settings import Cost
from widgets import theme
from widgets.parts import button, column, label
from widgets.wrapping import FlowLayout

if TYPE_CHECKING:
    from widgets.engine_pane.viewdata import ApplyView


class ApplyBar(QWidget):
    """The two buttons at the foot of the pane.

    Signals:
        apply_requested: The edited settings are to be taken over.
        revert_requested: The edits are to be dropped.
    """

    apply_requested = Signal()
    revert_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("apply_bar")
        self.revert = button(self.tr("Revert"), "settings_revert")
        self.apply = button(self.tr("Apply"), "settings_apply", "primary")
        self.revert.clicked.connect(self.revert_requested)
        self.apply.clicked.connect(self.apply_requested)
        self.reason = label("", "meta", "bad", wrap=True)
        self.reason.setObjectName("apply_reason")
        line = FlowLayout(theme.SPACE.s, is_filled=True)
        line.addWidget(self.revert)
        line.addWidget(self.apply)
        whole = column(theme.SPACE.xs)
        whole.addWidget(self.reason)
        whole.addLayout(line)
        self.setLayout(whole)

    def show_state(
        self,
        cost: Cost,
        view: ApplyView,
        *,
        is_edited: bool,
        is_loaded: bool,
        has_model: bool,
        held: str = "",
    ) -> None:
        """Write the buttons for what is edited, what it costs and what the application knows.

        Args:
            cost: What applying the edits takes.
            view: What the application says of it.
            is_edited: Whether there is something to revert.
            is_loaded: Whether a model is loaded.
            has_model: Whether one is chosen.
            held: Why nothing can be applied for a while, whatever is edited; empty when it can.
        """
        words = {
            Cost.NOTHING: self.tr("Apply"),
            Cost.CONTEXT: self.tr("Apply · new context"),
            Cost.RELOAD: self.tr("Apply · reload"),
        }[cost]
        to_load = self.tr("Load") if has_model else self.tr("Choose a model")
        default = words if is_loaded else to_load
        self.apply.setText(view.label or default)
        self.apply.setAccessibleName(self.apply.text())
        # Rich text wraps in a tooltip, plain text does not.
        self.apply.setToolTip(f"<qt>{held}</qt>" if held else view.detail)
        self.apply.setAccessibleDescription(held or view.detail)
        # Why it cannot be applied stands beside the button, wherever the settings are scrolled to.
        self.reason.setText(view.detail)
        self.reason.setVisible(not view.is_possible and bool(view.detail))
        self.apply.setEnabled(not held and view.is_possible and (is_edited or not is_loaded))
        self.revert.setEnabled(is_edited)
