"""Measures the best micro-batch and thread counts: what will happen, progress, and the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QWidget

from widgets import theme
from widgets.dialogs.base import Sheet
from widgets.engine_pane.measured_table import MeasuredTable
from widgets.engine_pane.measuring_viewdata import MeasuringView
from widgets.figures import seconds
from widgets.parts import column, frame, label, named, restyle, row

if TYPE_CHECKING:
    from widgets.engine_pane.measuring_viewdata import ProposalView

_WIDTH_PX: Final = 560
_STEPS: Final = 1000


class MeasureSheet(Sheet):
    """Beside the window, which stays usable. Main thread; the application decides what it shows.

    Esc and the close button reject it: while it measures, that is the wish to stop.

    Signals:
        start_requested: Measure now.
        apply_requested: The proposed values are to be taken over and kept for the model.
    """

    start_requested = Signal()
    apply_requested = Signal()

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent, "measure_sheet", self.tr("Measure the best values"))
        theme.size(self, "MinimumWidth", _WIDTH_PX)
        self._view = MeasuringView()
        self.words = _text("measure_words", label("", wrap=True))
        self.detail = _text("measure_detail", label("", "meta", "dim", wrap=True))
        self.blocked = _text("measure_blocked", label("", "meta", "warn", wrap=True))
        self.blocked.hide()
        self.progress = QProgressBar()
        named(self.progress, "measure_progress", self.tr("Progress"))
        self.progress.setRange(0, _STEPS)
        self.progress.setTextVisible(False)
        self.left = label("", "meta", "dim")
        self.table = MeasuredTable()
        self._proposals = frame("notice", "measure_proposals")
        self._lines = column(theme.SPACE.xs, (12, 10, 12, 10))
        self._proposals.setLayout(self._lines)
        self._arrange()
        self.foot.addStretch(1)
        self.cancel = self.add_button(self.tr("Cancel"), "measure_cancel")
        self.start = self.add_button(self.tr("Measure"), "measure_start", "primary")
        self.apply = self.add_button(self.tr("Use these values"), "measure_apply", "primary")
        self.cancel.clicked.connect(self.reject)
        self.start.clicked.connect(self.start_requested)
        self.apply.clicked.connect(self.apply_requested)
        self.set_view(MeasuringView())

    def view(self) -> MeasuringView:
        """What is shown."""
        return self._view

    def set_view(self, view: MeasuringView) -> None:
        """Show another state."""
        before, self._view = self._view.state, view
        running, done = view.state == "running", view.state == "done"
        self.words.setText(view.words)
        restyle(self.words, "tone", "bad" if view.state == "failed" else "")
        self.detail.setText(view.detail)
        self.detail.setVisible(bool(view.detail))
        self.progress.setVisible(running)
        self.progress.setValue(round(_STEPS * view.fraction))
        self.left.setVisible(running)
        left = seconds(view.seconds_left)
        self.left.setText(
            "" if view.seconds_left is None else self.tr("about {left} left").format(left=left)
        )
        self.table.setVisible(bool(view.settings))
        self.table.set_settings(view.settings)
        self._propose(view.proposals)
        self.start.setVisible(view.state in ("ready", "failed"))
        self.start.setText(self.tr("Measure") if view.state == "ready" else self.tr("Try again"))
        self.start.setAccessibleName(self.start.text())
        self.apply.setVisible(done and bool(view.proposals))
        self.cancel.setText(self._cancel_words(view))
        self.cancel.setAccessibleName(self.cancel.text())
        if before != view.state or not self.isVisible():
            self._focus(view)

    def set_blocked(self, reason: str) -> None:
        """Say why it cannot begin now; empty when it can."""
        self.start.setEnabled(not reason)
        self.start.setAccessibleDescription(reason)
        self.blocked.setText(reason)
        self.blocked.setVisible(bool(reason) and not self.start.isHidden())

    def event(self, event: QEvent) -> bool:
        """Follow the content: new rows count once they are shown, which is later."""
        handled = super().event(event)
        if event.type() is QEvent.Type.LayoutRequest:
            self._fit_height()
        return handled

    def _cancel_words(self, view: MeasuringView) -> str:
        if view.state == "done":
            return self.tr("Keep mine") if view.proposals else self.tr("Close")
        return self.tr("Close") if view.state == "failed" else self.tr("Cancel")

    def _fit_height(self) -> None:
        """As high as the content needs at this width."""
        layout = self.layout()
        if layout is not None:
            width = max(self.width(), _WIDTH_PX)
            height = layout.totalHeightForWidth(width)
            if height < 0:
                # No wrapped text is shown.
                height = layout.totalSizeHint().height()
            self.setMinimumHeight(height)
            self.resize(width, height)

    def _focus(self, view: MeasuringView) -> None:
        """Give Enter to what comes next; while it measures, to nothing that ends it by accident."""
        shown = [one for one in (self.apply, self.start) if not one.isHidden()]
        first = shown[0] if shown else self.cancel
        for one in (self.apply, self.start, self.cancel):
            one.setDefault(one is first and view.state != "running")
        first.setFocus()

    def _propose(self, proposals: tuple[ProposalView, ...]) -> None:
        self._proposals.setVisible(bool(proposals))
        while (taken := self._lines.takeAt(0)) is not None:
            held = taken.widget()
            if held is not None:
                held.deleteLater()
        for one in proposals:
            self._lines.addWidget(_ProposalLine(one, self.tr("from {before} to {after}")))

    def _arrange(self) -> None:
        above = row(theme.SPACE.m)
        above.addWidget(self.progress, 1)
        above.addWidget(self.left)
        for part in (self.words, self.detail, self.blocked):
            self.body.addWidget(part)
        self.body.addLayout(above)
        self.body.addWidget(self.table)
        self.body.addWidget(self._proposals)


def _text(name: str, made: QLabel) -> QLabel:
    """A text that is exactly as high as it needs to be at the width it gets."""
    made.setObjectName(name)
    policy = made.sizePolicy()
    policy.setHeightForWidth(True)
    made.setSizePolicy(policy)
    return made


class _ProposalLine(QWidget):
    """One setting that should change."""

    def __init__(self, proposal: ProposalView, words: str) -> None:
        super().__init__()
        change = words.format(before=proposal.before, after=proposal.after)
        self.setAccessibleName(f"{proposal.title}: {change}")
        line = row(theme.SPACE.s)
        line.addWidget(label(proposal.title), 1)
        line.addWidget(label(change, strong=True))
        self.setLayout(line)
