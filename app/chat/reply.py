"""The reply that is being written: its place in a chat, its growing text, its clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from app.chat import figures

if TYPE_CHECKING:
    from concurrent.futures import Future

    from app.store.rows import Message, MessageState, Record
    from app.store.streaming import ReplyStream
    from engine.errors import Problem
    from engine.worker.protocol import Delta, Finished


class ActiveReply:
    """One reply from the question to its last token. Main thread.

    Args:
        message: The stored message it is written into; `message.text` is what it continues.
        stream: Its way to the disk.
        model: Name of the model, kept with the figures.

    Attributes:
        request_id: The engine's request; 0 while room is made for it.
        begun: The message as it was when the reply began, with what was noted since.
        saved: Completed once all of it is on the disk; None until it is over.
    """

    saved: Future[None] | None = None

    def __init__(self, message: Message, stream: ReplyStream, model: str) -> None:
        self.request_id = 0
        self.chat_id = message.chat_id
        self.message_id = message.id
        self.begun = message
        self._stream = stream
        self._model = model
        self._text = [message.text] if message.text else []
        self._thinking = [message.thinking] if message.thinking else []
        self._thinking_since: float | None = None
        self._thinking_s: float | None = None

    def add(self, delta: Delta) -> None:
        """Take new text; it is on the disk within half a second."""
        if delta.thinking:
            self._thinking.append(delta.text)
            self._thinking_since = self._thinking_since or time.monotonic()
            self._stream.append(thinking=delta.text)
        else:
            self.add_text(delta.text)

    def add_text(self, text: str) -> None:
        """Take more of the answer, also what the model did not write."""
        self._end_thinking()
        self._text.append(text)
        self._stream.append(text)

    def note(self, *records: Record) -> None:
        """Add what was left out or done differently; the store keeps it apart."""
        kept = (*self.begun.records, *records)
        self.begun = msgspec.structs.replace(self.begun, records=kept)

    def message(self) -> Message:
        """The message as it stands."""
        return msgspec.structs.replace(
            self.begun,
            text="".join(self._text),
            thinking="".join(self._thinking),
            state="streaming",
        )

    def finish(self, finished: Finished) -> Message:
        """The reply is over, by itself or because it was stopped."""
        self._end_thinking()
        stats = figures.stored(finished, model=self._model, thinking_s=self._thinking_s)
        state: MessageState = "stopped" if finished.stop_reason == "cancelled" else "complete"
        self.saved = self._stream.finish(state, stats=stats)
        return msgspec.structs.replace(self.message(), state=state, stats=stats)

    def stop(self) -> Message:
        """It was stopped before it began."""
        self.saved = self._stream.finish("stopped")
        return msgspec.structs.replace(self.message(), state="stopped")

    def fail(self, problem: Problem, state: MessageState = "failed") -> Message:
        """The reply ended badly; what was written stays."""
        self._end_thinking()
        self.saved = self._stream.finish(state, problem=problem)
        return msgspec.structs.replace(self.message(), state=state, problem=problem)

    def _end_thinking(self) -> None:
        if self._thinking_since is not None:
            self._thinking_s = (self._thinking_s or 0) + time.monotonic() - self._thinking_since
            self._thinking_since = None
