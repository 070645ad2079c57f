"""Brings the open chat's messages to the transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from widgets.chat.viewdata import ProgressView

if TYPE_CHECKING:
    from app.chat.branch import Branch
    from app.chat.branches import Branches
    from app.store.rows import Message
    from engine.worker.protocol import Delta, PrefillProgress
    from widgets.chat.chat_view import ChatView
    from widgets.chat.viewdata import MessageView


class ChatScreen:
    """What happens in a chat that is not open is not shown. Main thread."""

    def __init__(self, view: ChatView, branches: Branches) -> None:
        self._view = view
        self._branches = branches

    def show_all(self) -> None:
        """Show the open chat from its end."""
        branch = self._branches.open
        messages = branch.messages if branch else []
        self._view.set_messages(
            [_shown(m, branch.documents_of(m.id)) for m in messages] if branch else []
        )
        prompts = [message.text for message in messages if message.role == "user"]
        self._view.set_last_prompt(prompts[-1] if prompts else "")

    def show_branch(self, branch: Branch) -> None:
        """Show all of a chat anew, if it is open."""
        if branch is self._branches.open:
            self.show_all()

    def show_message(self, message_id: int) -> None:
        """Show the newer state of a message."""
        branch = self._branches.open
        message = branch.find(message_id) if branch else None
        if branch and message:
            self._view.update_message(_shown(message, branch.documents_of(message_id)))

    def append(self, message: Message, documents: tuple[str, ...] = ()) -> None:
        """Show a new message at the end of its chat."""
        if message.chat_id == self._branches.open_id:
            self._view.append_message(_shown(message, documents))

    def show_reading(self, message: Message, progress: PrefillProgress) -> None:
        """Show how far the prompt of a reply is read."""
        if message.chat_id == self._branches.open_id:
            self._view.set_progress(str(message.id), _reading(progress))

    def show_summarising(self, message: Message, progress: PrefillProgress) -> None:
        """Show how far the messages that are to be summarised are read."""
        if message.chat_id == self._branches.open_id:
            reading = msgspec.structs.replace(_reading(progress), phase="summarising")
            self._view.set_progress(str(message.id), reading)

    def show_summary(self, message: Message, delta: Delta, limit: int) -> None:
        """Show how much of a summary is written, of at most `limit` tokens."""
        if message.chat_id == self._branches.open_id:
            written = ProgressView(
                phase="summarising",
                done=delta.completion_tokens,
                total=limit,
                per_second=delta.tokens_per_second,
            )
            self._view.set_progress(str(message.id), written)

    def show_delta(self, message: Message, delta: Delta) -> None:
        """Show new words of a reply."""
        if message.chat_id == self._branches.open_id:
            text, thinking = ("", delta.text) if delta.thinking else (delta.text, "")
            self._view.stream_delta(str(message.id), text, thinking)

    def finish(self, message: Message) -> None:
        """Show a reply that is over."""
        if message.chat_id == self._branches.open_id:
            self._view.finish_message(_shown(message))


def _shown(message: Message, documents: tuple[str, ...] = ()) -> MessageView:
    # The window opens without a message: what one needs is loaded after the first paint.
    from app.chat.views import message_view

    return message_view(message, documents=documents)


def _reading(progress: PrefillProgress) -> ProgressView:
    return ProgressView(
        phase="reading",
        done=progress.done,
        total=progress.total,
        per_second=progress.tokens_per_second,
        seconds_left=progress.seconds_left,
    )
