"""The text of a reply on its way to the screen: the first at once, then by a beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.llama.speedometer import Beat, Speedometer
from engine.worker.protocol import Delta

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.llama.stream import ReplyStream, Run
    from engine.llama.vocabulary import Vocabulary


class ReplyText:
    """Turns tokens into `Delta` messages. Owned by one reply.

    Attributes:
        tokens: Written so far.
        thinking_tokens: Those of them inside a reasoning block.
    """

    def __init__(
        self,
        stream: ReplyStream,
        vocabulary: Vocabulary,
        emit: Callable[[Delta], None],
        request_id: int,
        beat: Beat,
    ) -> None:
        self._stream = stream
        self._vocabulary = vocabulary
        self._emit = emit
        self._request_id = request_id
        self._runs: list[Run] = []
        self._beat = beat
        self._speed = Speedometer()
        self.tokens = 0
        self.thinking_tokens = 0

    @property
    def thinking(self) -> bool:
        """Whether the text stands inside a reasoning block."""
        return self._stream.thinking

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stream.stopped

    def add(self, token: int, now: float, context_used: int) -> None:
        """A token was written; sends what is due."""
        self._runs += self._stream.feed(self._vocabulary.piece(token))
        if self._stream.thinking:
            self.thinking_tokens += 1
        if self._runs and self._beat.due(now):
            self._speed.note(now, self.tokens)
            self._send(context_used)

    def finish(self, context_used: int) -> None:
        """The reply is over: send the rest."""
        self._runs += self._stream.finish()
        self._send(context_used)

    def _send(self, context_used: int) -> None:
        runs, self._runs = self._runs, []
        for text, thinking in _joined(runs):
            self._emit(
                Delta(
                    request_id=self._request_id,
                    text=text,
                    thinking=thinking,
                    completion_tokens=self.tokens,
                    context_used=context_used,
                    tokens_per_second=self._speed.tokens_per_second(),
                )
            )


def _joined(runs: list[Run]) -> list[tuple[str, bool]]:
    """Neighbouring runs of one kind as one."""
    joined: list[tuple[str, bool]] = []
    for run in runs:
        if joined and joined[-1][1] == run.thinking:
            joined[-1] = (joined[-1][0] + run.text, run.thinking)
        else:
            joined.append((run.text, run.thinking))
    return [part for part in joined if part[0]]
