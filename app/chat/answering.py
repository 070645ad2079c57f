"""Those who answer in the chats, put together: prompts, the queue, the reply, what it cites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.chat.asking_again import AskingAgain
from app.chat.citation_keeper import CitationKeeper
from app.chat.questions import Questions
from app.chat.replying import Replying
from app.chat.requests import Requests

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.chat.branches import Branches
    from app.chat.screen import ChatScreen
    from app.chat.tree_changes import TreeChanges
    from app.documents.automatic_modes import AutomaticModes
    from app.documents.search import PassageSearch
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.reading.controller import PartsController
    from app.store.chat_store import ChatStore
    from widgets.chat.chat_view import ChatView


class Answering:
    """Owned by the `ChatController`, whose first paint does without it. Main thread.

    Attributes:
        requests: Puts prompts together and finds passages.
        citations: Checks what replies cite.
        replying: The reply in progress.
        questions: The questions that wait for it.
        again: Asks what was asked before once more.
    """

    def __init__(
        self,
        *,
        store: ChatStore,
        engine: EngineController,
        shelf: Shelf,
        search: PassageSearch,
        modes: AutomaticModes,
        notices: Notices,
        hop: MainThread,
        reading: PartsController,
        branches: Branches,
        changes: TreeChanges,
        screen: ChatScreen,
        view: ChatView,
        parent: QObject,
    ) -> None:
        self.requests = Requests(
            store=store,
            engine=engine,
            shelf=shelf,
            search=search,
            modes=modes,
            branches=branches,
            changes=changes,
            on_searched=lambda: self.questions.send_next(),
        )
        self.citations = CitationKeeper(
            store=store, shelf=shelf, hop=hop, branches=branches, parent=parent
        )
        self.replying = Replying(
            store=store,
            engine=engine,
            requests=self.requests,
            branches=branches,
            screen=screen,
            notices=notices,
            hop=hop,
            reading=reading,
            parent=parent,
        )
        self.questions = Questions(
            store=store,
            engine=engine,
            shelf=shelf,
            requests=self.requests,
            branches=branches,
            screen=screen,
            replying=self.replying,
            parent=parent,
        )
        self.again = AskingAgain(
            engine=engine,
            requests=self.requests,
            questions=self.questions,
            replying=self.replying,
            branches=branches,
            changes=changes,
            screen=screen,
            view=view,
            notices=notices,
            parent=parent,
        )

    def close(self) -> None:
        """Stop what goes on in the background; for the end of the app."""
        self.replying.close()
        self.citations.close()
