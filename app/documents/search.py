"""Finds passages for the questions of the window, on a thread of its own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.documents.passages import PassageFinder, passage_budget, passages_text
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.chat.prompting import PromptPart
    from app.documents.passages import GivenPassages
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.session import Session
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Counted, Failed, Measured, Prompt

Given = tuple["GivenPassages", ...]


class PassageSearch(QObject):
    """Owns the finder and its thread. Main thread; `close` it at the end.

    Attributes:
        finder: The index and what searches it; any thread.

    Signals:
        index_replaced(Problem): The search index was of no use and is made anew.
    """

    index_replaced = Signal(object)

    def __init__(
        self,
        engine: EngineController,
        hop: MainThread,
        generation: Callable[[], GenerationSettings],
        limit: Callable[[], int],
        parent: QObject | None = None,
    ) -> None:
        """Search nothing yet.

        Args:
            engine: Counts tokens.
            hop: Brings what was found to the main thread.
            generation: How replies are made, for the room that one needs.
            limit: How many passages go with a question at most.
            parent: Owner.
        """
        super().__init__(parent)
        self._asking = _Asking(engine, hop, self)
        self._hop = hop
        self._generation = generation
        self._limit = limit
        self.finder = PassageFinder(
            on_problem=lambda problem: hop.post(lambda: self.index_replaced.emit(problem))
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passages")
        self._draft: tuple[object, ...] = ()
        self._draft_text = ""
        self._is_drafting = False

    def find(
        self,
        question: str,
        parts: Sequence[PromptPart],
        without: Prompt,
        on_found: Callable[[Given], None],
        on_failed: Callable[[UserError], None],
    ) -> None:
        """Search, and hand the passages over on the main thread.

        Args:
            question: What to find passages for.
            parts: The chat's documents.
            without: The request without passages; what it leaves free is theirs.
            on_found: Called with the passages of each document that is sent so.
            on_failed: Called instead when the engine went away meanwhile.
        """
        generation, limit = self._generation(), self._limit()
        work = self._thread.submit(self._search, question, tuple(parts), without, generation, limit)
        self._hop.when_done(work, on_found, on_failed)

    def for_draft(self, draft: str, parts: Sequence[PromptPart], without: Prompt) -> str:
        """The passages that would go with what is being typed, as far as they are found.

        They come a moment later: ask again.
        """
        wanted = (draft, without, *((p.document.id, p.selection, p.mode) for p in parts))
        if wanted != self._draft and not self._is_drafting:
            self._is_drafting = True

            def found(given: Given) -> None:
                self._is_drafting = False
                self._draft, self._draft_text = wanted, passages_text(parts, given)

            def failed(_error: UserError) -> None:
                self._is_drafting = False

            self.find(draft, parts, without, found, failed)
        return self._draft_text if wanted == self._draft else ""

    def close(self) -> None:
        """Stop searching; for the end of the app."""
        self._asking.give_up()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self.finder.close()

    def _search(
        self,
        question: str,
        parts: Sequence[PromptPart],
        without: Prompt,
        generation: GenerationSettings,
        limit: int,
    ) -> Given:
        budget = passage_budget(self._asking.measure(without, generation), generation)
        return self.finder.find(
            question, parts, budget_tokens=budget, engine=self._asking, limit=limit
        )


class _Asking(QObject):
    """Asks the engine from another thread and waits there for the answer."""

    def __init__(self, engine: EngineController, hop: MainThread, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._hop = hop
        self._waiting: dict[int, Future[Any]] = {}
        self._is_closed = False
        engine.measured.connect(self._on_answer)
        engine.counted.connect(self._on_answer)
        engine.question_failed.connect(self._on_failed)
        engine.session_changed.connect(self._on_session_changed)

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request; not for the main thread."""
        measured: Measured = self._answer(lambda: self._engine.measure(prompt, generation))
        return measured

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Count texts; not for the main thread."""
        counted: Counted = self._answer(lambda: self._engine.count(tuple(texts)))
        return counted.counts

    def give_up(self) -> None:
        """Let nothing wait any longer."""
        self._is_closed = True
        self._fail_all()

    def _answer(self, ask: Callable[[], int]) -> Any:  # noqa: ANN401  the answer to any question
        future: Future[Any] = Future()

        def on_main() -> None:
            request_id = 0 if self._is_closed else ask()
            if request_id:
                self._waiting[request_id] = future
            else:
                future.set_exception(UserError("worker.no_model"))

        self._hop.post(on_main)
        while not self._is_closed:
            try:
                return future.result(timeout=0.2)
            except TimeoutError:
                continue
        raise UserError("worker.gone")

    def _on_answer(self, answer: Measured | Counted) -> None:
        future = self._waiting.pop(answer.request_id, None)
        if future is not None:
            future.set_result(answer)

    def _on_failed(self, failed: Failed) -> None:
        future = self._waiting.pop(failed.request_id, None)
        if future is not None:
            future.set_exception(UserError.of(failed.problem))

    def _on_session_changed(self, session: Session) -> None:
        if session.loaded is None:
            self._fail_all()

    def _fail_all(self) -> None:
        for future in self._waiting.values():
            future.set_exception(UserError("worker.gone"))
        self._waiting.clear()
