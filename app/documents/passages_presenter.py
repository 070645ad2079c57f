"""Shows what was found for a question: fills the panel of passages and opens pages from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.chat.citing import KeptCitation
from app.documents.given_passages import given_by
from engine.documents.retrieval.found import Candidate
from widgets.documents.passages_viewdata import FoundPassageView, PassagesView, RankView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.chat.controller import ChatController
    from app.documents.given_passages import GivenPassages
    from app.documents.shelf import Shelf
    from app.store.rows import Message
    from engine.documents.model import Page
    from widgets.beside import Beside
    from widgets.documents.passages_panel import PassagesPanel


class PassagesPresenter(QObject):
    """Owns which question the panel shows: the one asked about, else the last. Main thread.

    Signals:
        page_requested(KeptCitation): A passage is to be seen on its page.
        closed(): The panel was closed; the keyboard goes back to where one writes.
    """

    page_requested = Signal(object)
    closed = Signal()

    def __init__(
        self,
        *,
        chat: ChatController,
        shelf: Shelf,
        panel: PassagesPanel,
        beside: Beside,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._chat = chat
        self._shelf = shelf
        self._panel = panel
        self._beside = beside
        self._chosen: int | None = None
        self._shown: Message | None = None
        self._found: list[Candidate] = []
        panel.open_requested.connect(self._on_open_requested)
        panel.closed.connect(self.close)
        chat.opened.connect(lambda _chat_id: self._follow())
        chat.content_changed.connect(self.refresh)

    def show_question(self, message_id: int) -> None:
        """Open the panel with what was found for a question."""
        self._chosen = message_id
        self._open()

    def toggle(self) -> None:
        """Open the panel with the last question, or close it."""
        if self._beside.is_open:
            self.close()
        else:
            self._chosen = None
            self._open()

    def close(self) -> None:
        """Take the panel away."""
        self._beside.set_open(shown=False)
        self.closed.emit()

    def refresh(self) -> None:
        """Show what changed, if there is anything to see."""
        if not self._beside.is_open:
            return
        message = self._question()
        if message != self._shown or not self._panel.view.question:
            self._show(message)

    # ---- inside

    def _open(self) -> None:
        self._show(self._question())
        self._beside.set_open(shown=True)
        self._panel.focus_first()

    def _follow(self) -> None:
        self._chosen = None
        self.refresh()

    def _question(self) -> Message | None:
        """The chosen question while it is the newest or was asked for, else the last one."""
        messages = self._chat.branch.messages if self._chat.branch else []
        asked = [message for message in messages if given_by(message.records)]
        if asked and self._shown is not None and asked[-1].id > self._shown.id:
            # A newer question: what it found is more interesting than what was looked at.
            self._chosen = None
        chosen = [message for message in asked if message.id == self._chosen]
        return next(iter(chosen), asked[-1] if asked else None)

    def _show(self, message: Message | None) -> None:
        self._shown = message
        if message is None:
            self._found = []
            self._panel.set_view(PassagesView())
            return
        given = given_by(message.records)
        self._found = sorted((one for each in given for one in _found(each)), key=lambda c: c.rank)
        names = {each.document_id: each.name for each in given}
        by_meaning = any(each.embedding_model for each in given)
        parts = self._shelf.parts(self._chat.chat_id)
        pages = {part.document.id: part.document.pages for part in parts}
        budgets = {each.budget_tokens for each in given if each.budget_tokens}
        notes = [each.by_words_alone.message for each in given[:1] if each.by_words_alone]
        self._panel.set_view(
            PassagesView(
                question=message.text,
                found=tuple(
                    self._passage(at, one, names, pages, by_meaning=by_meaning)
                    for at, one in enumerate(self._found)
                ),
                count=sum(each.count for each in given),
                out_of=sum(each.out_of for each in given),
                tokens=sum(each.tokens for each in given),
                budget_tokens=max(budgets, default=None),
                how=self._how(given[0]),
                note=" ".join(notes),
            )
        )

    def _how(self, given: GivenPassages) -> str:
        if given.embedding_model:
            words = self.tr("Found by words and by meaning, {model}.")
            return words.format(model=given.embedding_model)
        return self.tr("Found by words alone.")

    def _passage(
        self,
        at: int,
        one: Candidate,
        names: dict[str, str],
        pages: dict[str, tuple[Page, ...]],
        *,
        by_meaning: bool,
    ) -> FoundPassageView:
        reasons = {
            "": "",
            "budget": self.tr("Left out: no room for it beside what was given"),
            "rank": self.tr("Left out: not among the best"),
        }
        page = _page(pages.get(one.document_id, ()), one.page_number)
        return FoundPassageView(
            id=str(at),
            document=names.get(one.document_id, ""),
            anchor=page.anchor if page else self.tr("p. {n}").format(n=one.page_number),
            heading=page.heading if page else "",
            text=one.text,
            tokens=one.tokens,
            words=RankView(one.rank_by_words, one.score_by_words),
            meaning=RankView(one.rank_by_meaning, one.score_by_meaning) if by_meaning else None,
            both=RankView(one.rank, one.score),
            left_out=reasons[one.left_out],
            lacked_room=one.left_out == "budget",
        )

    def _on_open_requested(self, place: str) -> None:
        one = self._found[int(place)]
        self.page_requested.emit(
            KeptCitation(
                text=one.text,
                document_id=one.document_id,
                page_number=one.page_number,
                quote=" ".join(one.text.split()),
                verified=True,
                span=(one.start, one.end),
            )
        )


def _found(given: GivenPassages) -> Sequence[Candidate]:
    """What was found of a document; questions of older versions kept only what was sent."""
    if given.candidates:
        return given.candidates
    return [
        Candidate(
            document_id=one.document_id,
            page_number=one.page_number,
            start=one.start,
            end=one.end,
            text=one.text,
            tokens=one.tokens,
            rank=rank,
            score=one.score,
            rank_by_words=one.rank_by_words,
            rank_by_meaning=one.rank_by_meaning,
        )
        for rank, one in enumerate(given.passages, start=1)
    ]


def _page(pages: Sequence[Page], number: int) -> Page | None:
    return next((page for page in pages if page.number == number), None)
