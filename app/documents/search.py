"""Finds passages for the questions of the window, on a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.engine.asking import EngineQuestions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.chat.prompting import PromptPart
    from app.documents.given_passages import GivenPassages
    from app.documents.passages import PassageFinder
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from engine.errors import UserError
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt

Given = tuple["GivenPassages", ...]


class PassageSearch(QObject):
    """Owns the finder and its thread. Main thread; `close` it at the end.

    Signals:
        index_replaced(Problem): The search index was of no use and is made anew.
    """

    index_replaced = Signal(object)

    def __init__(
        self,
        engine: EngineController,
        hop: MainThread,
        limit: Callable[[], int],
        parent: QObject | None = None,
    ) -> None:
        """Search nothing yet.

        Args:
            engine: Counts tokens.
            hop: Brings what was found to the main thread.
            limit: How many passages go with a question at most.
            parent: Owner.
        """
        super().__init__(parent)
        self._asking = EngineQuestions(engine, hop, self)
        self._hop = hop
        self._limit = limit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passages")
        self._draft: tuple[object, ...] = ()
        self._draft_text = ""
        self._is_drafting = False

    @cached_property
    def finder(self) -> PassageFinder:
        """The index and what searches it; any thread. It is loaded when it is first asked for."""
        from app.documents.passages import PassageFinder

        return PassageFinder(
            on_problem=lambda problem: self._hop.post(lambda: self.index_replaced.emit(problem))
        )

    def find(
        self,
        question: str,
        parts: Sequence[PromptPart],
        without: Prompt,
        generation: GenerationSettings,
        on_found: Callable[[Given], None],
        on_failed: Callable[[UserError], None],
    ) -> None:
        """Search, and hand the passages over on the main thread.

        Args:
            question: What to find passages for.
            parts: The chat's documents.
            without: The request without passages; what it leaves free is theirs.
            generation: The chat's settings for it.
            on_found: Called with the passages of each document that is sent so.
            on_failed: Called instead when the engine went away meanwhile.
        """
        # Made here: both threads that use the finder would make one of their own.
        work = self._thread.submit(
            self._search, self.finder, question, tuple(parts), without, generation, self._limit()
        )
        self._hop.when_done(work, on_found, on_failed)

    def find_for_draft(
        self,
        draft: str,
        parts: Sequence[PromptPart],
        without: Prompt,
        generation: GenerationSettings,
    ) -> None:
        """Search for what is being typed, unless that is known; arguments are those of `find`."""
        wanted = _wanted(draft, parts, without, generation)
        if wanted == self._draft or self._is_drafting:
            return
        self._is_drafting = True

        def found(given: Given) -> None:
            from app.documents.passages import passages_text

            self._is_drafting = False
            self._draft, self._draft_text = wanted, passages_text(parts, given)

        def failed(_error: UserError) -> None:
            self._is_drafting = False

        self.find(draft, parts, without, generation, found, failed)

    def found_for_draft(
        self,
        draft: str,
        parts: Sequence[PromptPart],
        without: Prompt,
        generation: GenerationSettings,
    ) -> str:
        """The passages that go with what is being typed; empty until they are found."""
        wanted = _wanted(draft, parts, without, generation)
        return self._draft_text if wanted == self._draft else ""

    def forget(self, document_id: str) -> None:
        """Take a deleted document out of the index."""
        self._hop.when_done(self._thread.submit(self.finder.forget, document_id))

    def close(self) -> None:
        """Stop searching; for the end of the app."""
        self._asking.give_up()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self.finder.close()

    def _search(
        self,
        finder: PassageFinder,
        question: str,
        parts: Sequence[PromptPart],
        without: Prompt,
        generation: GenerationSettings,
        limit: int,
    ) -> Given:
        from app.documents.passages import passage_budget

        budget = passage_budget(self._asking.measure(without, generation), generation)
        return finder.find(question, parts, budget_tokens=budget, engine=self._asking, limit=limit)


def _wanted(
    draft: str, parts: Sequence[PromptPart], without: Prompt, generation: GenerationSettings
) -> tuple[object, ...]:
    """Equal as long as the same passages would be found."""
    return (draft, without, generation, *((p.document.id, p.selection, p.mode) for p in parts))
