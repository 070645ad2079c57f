"""One found passage as a card: where it stands, how it was found, how it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout

from widgets import parts, theme
from widgets.chat.plaintext import neutralised

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent

    from widgets.documents.passages_viewdata import FoundPassageView, RankView

_SHOWN_CHARS: Final = 180
_STEPS: Final[dict[int, int]] = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}


def _tr(text: str) -> str:
    return QCoreApplication.translate("PassageCard", text)


def ordinal(place: int) -> str:
    """A place in words: 1st, 2nd, 3rd, 4th."""
    if place % 100 in (11, 12, 13):
        return f"{place}th"
    return f"{place}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th') }"


def rank_words(rank: RankView, digits: int) -> str:
    """A place and its score, or that there is none."""
    if rank.place is None:
        return _tr("not found")
    score = "" if rank.score is None else f" · {rank.score:.{digits}f}"
    return ordinal(rank.place) + score


class PassageCard(QFrame):
    """Opens its page when it is pressed, by mouse, Enter or Space. Main thread.

    Signals:
        open_requested: Its id.
        step_requested: The next card is wanted, or with -1 the one before.
    """

    open_requested = Signal(str)
    step_requested = Signal(int)

    def __init__(self, passage: FoundPassageView) -> None:
        super().__init__()
        self.passage = passage
        self.setProperty("surface", "passage")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        parts.named(self, f"passage_{passage.id}", self._spoken())
        self.setToolTip(
            _tr("Open {anchor} of {document}").format(
                anchor=passage.anchor, document=passage.document
            )
        )
        column = parts.column(6, (theme.SPACE.m, 9, theme.SPACE.m, 9))
        column.addLayout(self._head())
        text = parts.label(self._beginning(), "meta", "dim", wrap=True)
        text.setObjectName("passageText")
        column.addWidget(text)
        column.addLayout(self._ranks())
        self.setLayout(column)

    def _head(self) -> QHBoxLayout:
        passage = self.passage
        line = parts.row(6)
        line.addWidget(parts.label("○" if passage.left_out else "●", "label", self._tone()))
        line.addWidget(parts.label(neutralised(passage.anchor), "meta", strong=True))
        where = f"{passage.document} · {passage.heading}" if passage.heading else passage.document
        line.addWidget(parts.ElidedLabel(neutralised(where), "meta", "dim"), 1)
        tokens = parts.label(_tr("{n:,} tokens").format(n=passage.tokens), "meta", "dim")
        tokens.setObjectName("passageTokens")
        line.addWidget(tokens)
        return line

    def _ranks(self) -> QGridLayout:
        passage = self.passage
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.SPACE.m)
        grid.setVerticalSpacing(1)
        listed = [("words", _tr("words"), passage.words, 1)]
        if passage.meaning is not None:
            listed.append(("meaning", _tr("meaning"), passage.meaning, 2))
            listed.append(("both", _tr("together"), passage.both, 3))
        for at, (name, title, rank, digits) in enumerate(listed):
            grid.addWidget(parts.label(title, "label", "faint"), 0, at)
            value = parts.label(rank_words(rank, digits), "label", "dim")
            value.setObjectName(f"passage_{name}")
            grid.addWidget(value, 1, at)
            grid.setColumnStretch(at, 1)
        if passage.left_out:
            tone: parts.Tone = "warn" if passage.lacked_room else "faint"
            reason = parts.label(passage.left_out, "label", tone)
            reason.setObjectName("passageLeftOut")
            grid.addWidget(reason, 2, 0, 1, len(listed))
        return grid

    def _tone(self) -> parts.Tone:
        return "faint" if self.passage.left_out else "accent"

    def _beginning(self) -> str:
        text = " ".join(neutralised(self.passage.text).split())
        if len(text) <= _SHOWN_CHARS:
            return text
        return text[:_SHOWN_CHARS].rsplit(" ", 1)[0] + " …"

    def _spoken(self) -> str:
        passage = self.passage
        state = passage.left_out or _tr("given to the model")
        ranks = f"{_tr('words')} {rank_words(passage.words, 1)}"
        if passage.meaning is not None:
            ranks += f", {_tr('meaning')} {rank_words(passage.meaning, 2)}"
        return f"{passage.document}, {passage.anchor}, {state}, {ranks}. {self._beginning()}"

    # ---- what the user does

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open the page."""
        if event.button() is Qt.MouseButton.LeftButton and self.rect().contains(
            event.position().toPoint()
        ):
            self.open_requested.emit(self.passage.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the page with Enter or Space, walk with Up and Down; the rest is the panel's."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.open_requested.emit(self.passage.id)
        elif event.key() in _STEPS:
            self.step_requested.emit(_STEPS[event.key()])
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep its own keys from the window's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride and event.key() in (  # type: ignore[attr-defined]
            Qt.Key.Key_Space,
            Qt.Key.Key_Return,
        ):
            event.accept()
            return True
        return super().event(event)
