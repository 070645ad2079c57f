"""The parts that were read for a question: where each stands, what it said, what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from widgets import parts, theme
from widgets.chat.plaintext import neutralised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.chat.viewdata import PartState, PartView
    from widgets.parts import Tone

_MOST_PX: Final = 320
_ROOM_PX: Final = 4
_MARKS: Final[dict[PartState, tuple[str, Tone]]] = {
    "found": ("●", "accent"),
    "nothing": ("○", "faint"),
    "failed": ("✕", "bad"),
}


class PartsList(QScrollArea):
    """Owned by a record row. As high as its parts, up to a limit; beyond that it scrolls.

    Signals:
        target_requested: Open the page that a part begins on.
    """

    target_requested = Signal(str)

    def __init__(self, views: Sequence[PartView], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        parts.named(self, "partsList", self.tr("Parts that were read"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        inside = QWidget()
        column = parts.column(theme.SPACE.m, (0, 2, theme.SPACE.m, 2))
        for view in views:
            column.addLayout(self._part(view))
        column.addStretch(1)
        inside.setLayout(column)
        self.setWidget(inside)
        # The ground is that of the record.
        self.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        self._inside = inside

    def height_for(self, width: int) -> int:
        """How high it wants to be at a width."""
        inner = width - self.verticalScrollBar().sizeHint().width()
        return min(theme.px(_MOST_PX), max(24, self._inside.heightForWidth(inner)) + _ROOM_PX)

    def _part(self, view: PartView) -> QVBoxLayout:
        column = parts.column(2)
        line = parts.row(theme.SPACE.s)
        mark, tone = _MARKS[view.state]
        sign = parts.label(mark, "meta", tone)
        sign.setAccessibleName(self._spoken(view.state))
        sign.setToolTip(self._spoken(view.state))
        line.addWidget(sign)
        words = self.tr("{number}. {document}, {place}").format(
            number=view.number, document=neutralised(view.document), place=neutralised(view.place)
        )
        link = parts.button(words, f"part_{view.number}", "link")
        link.setToolTip(self.tr("Open the page on which it begins"))
        link.clicked.connect(lambda: self.target_requested.emit(view.target))
        line.addWidget(link)
        line.addStretch(1)
        line.addWidget(parts.label(view.figures, "meta", "dim"))
        column.addLayout(line)
        if view.state != "nothing":
            tone_said: Tone = "bad" if view.state == "failed" else "plain"
            said = parts.label(neutralised(view.notes), "meta", tone_said, wrap=True)
            said.setTextFormat(Qt.TextFormat.PlainText)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            said.setContentsMargins(18, 0, 0, 0)
            column.addWidget(said)
        return column

    def _spoken(self, state: PartState) -> str:
        return {
            "found": self.tr("holds something about the question"),
            "nothing": self.tr("holds nothing about the question"),
            "failed": self.tr("could not be read"),
        }[state]
