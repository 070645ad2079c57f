"""What ``leadline ask --mode retrieve`` finds, and how it is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.documents.passages import PassageFinder
from engine.embedding.client import EmbeddingClient
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.chat.prompting import PromptPart
    from app.documents.given_passages import GivenPassages
    from app.documents.passages import Engine
    from engine.documents.model import Document
    from engine.settings import AppSettings


class PassageSearch:
    """Finds what of the documents goes with a question. Waits for everything it needs.

    Attributes:
        problems: What was not as it should be, though the search went on.
    """

    def __init__(
        self,
        settings: AppSettings,
        *,
        on_progress: Callable[[int, int], bool],
        on_problem: Callable[[Problem], None],
    ) -> None:
        """Take the settings.

        Raises:
            UserError: The embedding model's file is missing, or is none.
        """
        self._limit = settings.passages_per_question
        path = settings.embedding_model
        self._embedder = EmbeddingClient(Path(path)) if path else None
        self._on_progress = on_progress
        self._on_problem = on_problem
        self.problems: list[Problem] = []

    def find(
        self, question: str, parts: Sequence[PromptPart], budget_tokens: int, engine: Engine
    ) -> tuple[GivenPassages, ...]:
        """The passages that go with a question, document by document."""
        finder = PassageFinder(on_problem=self._note, embedder=self._embedder)
        try:
            self._prepare(finder, [part.document for part in parts if part.mode == "passages"])
            given = finder.find(
                question,
                parts,
                budget_tokens=budget_tokens,
                engine=engine,
                limit=self._limit,
            )
        finally:
            finder.close()
            if self._embedder is not None:
                self._embedder.close()
        for each in given[:1]:
            if each.by_words_alone is not None:
                self._note(each.by_words_alone)
        return given

    def _prepare(self, finder: PassageFinder, documents: Sequence[Document]) -> None:
        for document in documents:
            try:
                finder.prepare(document, self._on_progress)
            except UserError as error:
                # What is found by words is still found.
                self._note(error.problem)
                finder.embedder = None
                return
            if shortened := finder.shortened(document.id):
                params: dict[str, str | int | float] = {"name": document.name, "count": shortened}
                self._note(Problem(code="embedding.shortened", params=params))

    def _note(self, problem: Problem) -> None:
        self.problems.append(problem)
        self._on_problem(problem)


def passages_json(given: Sequence[GivenPassages]) -> list[dict[str, object]]:
    """Everything that was found, best first; what is not sent says why."""
    listed = [(each.name, candidate) for each in given for candidate in each.candidates]
    return [
        {
            "document": name,
            "page": candidate.page_number,
            "text": candidate.text,
            "tokens": candidate.tokens,
            "sent": not candidate.left_out,
            "left_out": candidate.left_out or None,
            "rank": candidate.rank,
            "score": candidate.score,
            "rank_by_words": candidate.rank_by_words,
            "score_by_words": candidate.score_by_words,
            "rank_by_meaning": candidate.rank_by_meaning,
            "score_by_meaning": candidate.score_by_meaning,
        }
        for name, candidate in sorted(listed, key=lambda one: one[1].rank)
    ]


def dropped(given: Sequence[GivenPassages]) -> list[dict[str, object]]:
    """What was found and did not fit. Whole documents are never cut: they fit or are refused."""
    return [
        {"document": each.name, "kind": "passages", "count": each.left_out}
        for each in given
        if each.left_out
    ]
