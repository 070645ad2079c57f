"""The panel of passages: what was found for a question, what of it the model was given, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QWidget

from widgets import parts, theme
from widgets.documents.passage_card import PassageCard
from widgets.documents.passages_viewdata import PassagesView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QKeyEvent

    from widgets.documents.passages_viewdata import FoundPassageView

# Three lines.
_QUESTION_PX: Final = 50
_LEAST_PX: Final = 300
_MOST_PX: Final = 460


class PassagesPanel(QFrame):
    """Lists found passages as cards. Up and Down walk, Enter opens a page, Esc closes. Main thread.

    Signals:
        open_requested: Id of a passage whose page is wanted.
        closed: The user is done with it.
    """

    open_requested = Signal(str)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        parts.named(self, "passages_panel", self.tr("Passages"))
        self.setProperty("surface", "panel")
        self.setMinimumWidth(_LEAST_PX)
        theme.size(self, "MaximumWidth", _MOST_PX)
        self.view = PassagesView()
        self.cards: list[PassageCard] = []
        head = parts.row(theme.SPACE.s, (theme.SPACE.l, 10, theme.SPACE.s, 10))
        head.addWidget(parts.label(self.tr("Passages"), "title"), 1)
        self._close = parts.icon_button(
            "close", "passagesClose", self.tr("Close the passages (Esc)")
        )
        self._close.clicked.connect(self.closed)
        head.addWidget(self._close)
        self._list = parts.column(theme.SPACE.s, (theme.SPACE.l, theme.SPACE.m, theme.SPACE.l, 20))
        whole = parts.column()
        whole.addLayout(head)
        whole.addWidget(parts.hairline())
        self._scroll = parts.ScrollColumn(self._list, "passages_scroll")
        whole.addWidget(self._scroll, 1)
        self.setLayout(whole)
        self.set_view(self.view)

    # ---- what it is given

    def set_view(self, view: PassagesView) -> None:
        """Show what was found for another question."""
        self.view = view
        # The keyboard would wander off with a card that goes away.
        had_focus = any(card.hasFocus() for card in self.cards)
        while (taken := self._list.takeAt(0)) is not None:
            held = taken.widget()
            if held is not None:
                held.hide()
                held.deleteLater()
        self.cards = []
        if view.question:
            self._add_question()
            given = [one for one in view.found if not one.left_out]
            others = [one for one in view.found if one.left_out]
            self._add_group(self.tr("Given to the model"), "passagesGiven", given, self._sum())
            if others:
                count = f"{len(others):,}"
                self._add_group(self.tr("Found, not given"), "passagesLeftOut", others, count)
        else:
            self._add_empty()
        self._list.addStretch(1)
        self._scroll.verticalScrollBar().setValue(0)
        if had_focus:
            self.focus_first()

    def focus_first(self) -> None:
        """Put the keyboard on the first passage."""
        first: QWidget = self.cards[0] if self.cards else self._close
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    # ---- putting together

    def _add_question(self) -> None:
        question = parts.label(" ".join(self.view.question.split()), "body", wrap=True)
        question.setObjectName("passagesQuestion")
        theme.size(question, "MaximumHeight", _QUESTION_PX)
        self._list.addWidget(question)
        how = parts.label(self.view.how, "meta", "dim", wrap=True)
        how.setObjectName("passagesHow")
        self._list.addWidget(how)
        if self.view.note:
            note = parts.label(self.view.note, "meta", "warn", wrap=True)
            note.setObjectName("passagesNote")
            self._list.addWidget(note)

    def _add_group(
        self, title: str, name: str, passages: Sequence[FoundPassageView], value: str
    ) -> None:
        self._list.addSpacing(theme.SPACE.s)
        heading = parts.SectionHeading(title, name)
        heading.set_value(value)
        self._list.addWidget(heading)
        if not passages:
            words = parts.label(self.tr("None of the passages."), "meta", "dim", wrap=True)
            self._list.addWidget(words)
        for passage in passages:
            card = PassageCard(passage)
            card.open_requested.connect(self.open_requested)
            card.step_requested.connect(self._step)
            self.cards.append(card)
            self._list.addWidget(card)
            # At once: what is not there yet cannot have the keyboard.
            card.show()

    def _add_empty(self) -> None:
        title = parts.label(self.tr("No passages here"), "body", strong=True, wrap=True)
        text = parts.label(
            self.tr(
                "When a document is sent in passages, this shows what was found for the last "
                "question and what of it the model was given. “Send passages instead” is under a "
                "document that does not fit."
            ),
            "meta",
            "dim",
            wrap=True,
        )
        text.setObjectName("passagesEmpty")
        self._list.addWidget(title)
        self._list.addWidget(text)

    def _sum(self) -> str:
        view = self.view
        words = self.tr("{count:,} of {out_of:,} · {tokens:,} tokens").format(
            count=view.count, out_of=view.out_of, tokens=view.tokens
        )
        if view.budget_tokens is not None:
            words += self.tr(" of {budget:,}").format(budget=view.budget_tokens)
        return words

    # ---- what the user does

    def event(self, event: QEvent) -> bool:
        """Take Esc before the window's shortcut for stopping does."""
        if event.type() == QEvent.Type.ShortcutOverride and event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close by keyboard."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def _step(self, step: int) -> None:
        at = next((i for i, card in enumerate(self.cards) if card.hasFocus()), -step)
        card = self.cards[max(0, min(at + step, len(self.cards) - 1))]
        card.setFocus(Qt.FocusReason.TabFocusReason)
        self._scroll.ensureWidgetVisible(card, 0, theme.SPACE.l)
