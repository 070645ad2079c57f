"""Decides for the window how automatic documents are sent, on a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.engine.asking import EngineQuestions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.chat.prompting import PromptPart
    from app.documents.automatic import Choice
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from engine.errors import UserError
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt

    PromptOf = Callable[[Sequence[PromptPart]], Prompt]


class AutomaticModes(QObject):
    """Tells the shelf what the automatic documents of a chat come to. Main thread; `close` it."""

    def __init__(
        self, engine: EngineController, shelf: Shelf, hop: MainThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._shelf = shelf
        self._hop = hop
        self._asking = EngineQuestions(engine, hop, self)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="modes")
        self._draft: object = None
        self._is_drafting = False

    def choose(
        self,
        chat_id: int,
        prompt_of: PromptOf,
        generation: GenerationSettings,
        then: Callable[[], None],
        failed: Callable[[UserError], None],
    ) -> None:
        """Go on once it is decided for a request; at once where nothing is automatic.

        Args:
            chat_id: The chat.
            prompt_of: The request for documents that are sent as given; called on a thread.
            generation: Its settings.
            then: Called afterwards.
            failed: Called instead when the engine went away meanwhile.
        """
        automatic = self._automatic(chat_id)
        if not automatic:
            then()
            return
        from app.documents.automatic import choose_modes

        parts = self._shelf.parts(chat_id)
        work = self._thread.submit(
            choose_modes, parts, automatic, prompt_of, generation, self._asking
        )

        def chosen(choices: Mapping[str, Choice]) -> None:
            self._shelf.settle_modes(chat_id, choices)
            then()

        self._hop.when_done(work, chosen, failed)

    def for_draft(
        self,
        chat_id: int | None,
        prompt_of: PromptOf,
        generation: GenerationSettings,
        moment: object,
    ) -> None:
        """Decide again for what is being written, when something that matters has changed.

        Args:
            chat_id: The open chat.
            prompt_of: As in `choose`.
            generation: As in `choose`.
            moment: Equal as long as the conversation before the draft is the same.
        """
        loaded = self._engine.session.loaded
        if chat_id is None or loaded is None or self._is_drafting or not self._automatic(chat_id):
            return
        held = tuple((one.key, one.selection, one.mode) for one in self._shelf.held(chat_id))
        wanted = (chat_id, held, generation, moment, loaded.context.n_ctx, loaded.model.path)
        if wanted == self._draft:
            return
        self._is_drafting = True

        def done() -> None:
            self._is_drafting, self._draft = False, wanted

        def failed(_error: UserError) -> None:
            self._is_drafting = False

        self.choose(chat_id, prompt_of, generation, done, failed)

    def close(self) -> None:
        """Stop deciding; for the end of the app."""
        self._asking.give_up()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _automatic(self, chat_id: int) -> set[str]:
        return {
            held.key
            for held in self._shelf.held(chat_id)
            if held.mode == "automatic" and held.document is not None
        }
