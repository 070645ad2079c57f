"""Asks again in the open chat: a reply anew, an edited question, a stopped reply to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.errors import Problem

if TYPE_CHECKING:
    from app.chat.branches import Branches
    from app.chat.questions import Questions
    from app.chat.replying import Replying
    from app.chat.requests import Requests
    from app.chat.screen import ChatScreen
    from app.chat.tree_changes import TreeChanges
    from app.engine.controller import EngineController
    from app.notices import Notices
    from app.store.rows import Message, Record
    from widgets.chat.chat_view import ChatView


class AskingAgain(QObject):
    """Main thread. What it does waits for nothing: while a reply is written it says so instead.

    Signals:
        refused(Problem): There is no model that could answer.
    """

    refused = Signal(object)

    def __init__(
        self,
        *,
        engine: EngineController,
        requests: Requests,
        questions: Questions,
        replying: Replying,
        branches: Branches,
        changes: TreeChanges,
        screen: ChatScreen,
        view: ChatView,
        notices: Notices,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._requests = requests
        self._questions = questions
        self._replying = replying
        self._branches = branches
        self._changes = changes
        self._screen = screen
        self._view = view
        self._notices = notices

    def regenerate(self, message_id: int | None = None) -> None:
        """Write another version of a reply; the last one when none is named."""
        message = self._assistant_message(message_id)
        branch = self._branches.open
        if message is None or branch is None or not self._may_answer():
            return
        place = branch.messages.index(message)
        chat_id = branch.chat.id

        def answer() -> None:
            # Read again meanwhile, perhaps, and without the message.
            branch = self._branches.get(chat_id)
            if branch is not None and branch.find(message.id):
                self._replying.answer(branch, versions=branch.cut_before(message.id))
                self._screen.show_branch(branch)

        self._requests.with_passages(chat_id, branch.messages[:place], answer)

    def edit_and_resend(self, message_id: int, text: str) -> None:
        """Ask a question anew; the old one and its answers stay as a version."""
        branch = self._branches.open
        if branch is None or not text.strip() or not self._may_answer():
            return
        asked = branch.find(message_id)
        if asked is None:
            return
        chat_id, text = branch.chat.id, text.strip()

        def give_back() -> None:
            self._give_back(chat_id, text)

        def ask(records: tuple[Record, ...]) -> None:
            branch = self._branches.get(chat_id)
            if branch is None or branch.find(message_id) is None:
                give_back()
                return
            versions = branch.cut_before(message_id)
            self._questions.ask(branch, text, versions=versions, found=records)
            self._screen.show_branch(branch)

        before = branch.messages[: branch.messages.index(asked)]
        self._requests.find_passages(chat_id, before, text, ask, given_up=give_back)

    def go_on(self, message_id: int) -> None:
        """Continue a reply that was stopped or interrupted."""
        branch = self._branches.open
        message = branch.find(message_id) if branch else None
        if branch is None or message is None or message.id != branch.leaf_id:
            return
        if self._may_answer() and self._changes.is_settled(branch.chat.id):
            self._replying.generate(branch, message)
            self._screen.show_message(message_id)

    def _assistant_message(self, message_id: int | None) -> Message | None:
        branch = self._branches.open
        if branch is None:
            return None
        if message_id is not None:
            return branch.find(message_id)
        replies = [message for message in branch.messages if message.role == "assistant"]
        return replies[-1] if replies else None

    def _may_answer(self) -> bool:
        if self._engine.session.can_answer and not self._questions.is_busy:
            return True
        if self._engine.session.loaded is None:
            self.refused.emit(Problem(code="worker.no_model"))
        else:
            self._notices.say(self.tr("Wait for the reply in progress, or stop it first."))
        return False

    def _give_back(self, chat_id: int, text: str) -> None:
        """A question that could not be asked where it stood goes to the composer of its chat."""
        branch = self._branches.get(chat_id)
        if chat_id == self._branches.open_id:
            self._view.restore_draft("\n\n".join(filter(None, (self._view.draft(), text))))
        elif branch is not None:
            draft = "\n\n".join(filter(None, (branch.chat.draft, text)))
            self._branches.set_draft(branch, draft)
        self._notices.say(
            self.tr("The edited question was not asked. It stands in the composer now.")
        )
