"""The policy ``summarise``: the model puts the oldest messages of a chat into a few sentences.

Before a reply that would not fit, the same model reads the oldest exchanges once more (they are in
the KV cache still) and writes a summary. It is kept as a record of the question, where it can be
read and edited, and takes the place of those messages in this request and all that follow.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
from PySide6.QtCore import QObject

from app.chat.overflow import described, summary_of, summary_record
from app.chat.prompting import sent_messages
from app.engine.asking import EngineQuestions
from engine.errors import Problem, UserError
from engine.worker.protocol import Delta, Failed, Finished, PrefillProgress, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.chat.branch import Branch
    from app.chat.requests import Requests
    from app.chat.screen import ChatScreen
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.store.rows import Message
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Measured, Prompt

_ASK = (
    "Summarise our conversation so far in at most {words} words, so that it can go on without the "
    "messages above. Keep names, numbers, decisions and open questions. Write only the summary."
)
_SHARE = 8
_SHORTEST, _LONGEST = 48, 512


class Engine(Protocol):
    """What counts requests. Calls may wait."""

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request."""


class SummaryStep(NamedTuple):
    """One summary to write.

    Attributes:
        turns: How many of the request's turns it stands for, the oldest ones.
        tokens: By how many tokens the request is shorter without them.
    """

    turns: int
    tokens: int
    prompt: Prompt
    generation: GenerationSettings


def plan_summary(
    prompt: Prompt, generation: GenerationSettings, engine: Engine
) -> SummaryStep | None:
    """What to summarise so that a request fits; None when it does, or has nothing to summarise.

    Raises:
        UserError: ``overflow.summary_too_long`` when not even one exchange can be read for it.
    """
    drop = msgspec.structs.replace(generation, overflow="drop")
    stop = msgspec.structs.replace(generation, overflow="stop")
    if engine.measure(prompt, drop).left_out is None:
        return None
    # Room for the longest reserve, so that the next question does not need a summary again.
    fitted = engine.measure(prompt, msgspec.structs.replace(drop, max_tokens=0))
    if fitted.left_out is None:
        return None
    limit = max(_SHORTEST, min(_LONGEST, fitted.n_ctx // _SHARE))
    writing = msgspec.structs.replace(
        stop, max_tokens=limit, thinking="off", grammar="", json_schema="", stop=()
    )
    turns = fitted.left_out.turns
    while turns > 0:
        asked = Turn(role="user", text=_ASK.format(words=limit // 2))
        step = msgspec.structs.replace(
            prompt,
            turns=(*prompt.turns[:turns], asked),
            passages="",
            prefill_reply="",
            prefill_thinking="",
        )
        if engine.measure(step, stop).prompt_tokens + limit <= fitted.n_ctx:
            rest = msgspec.structs.replace(prompt, turns=prompt.turns[turns:])
            tokens = engine.measure(prompt, stop).prompt_tokens
            return SummaryStep(
                turns, tokens - engine.measure(rest, stop).prompt_tokens, step, writing
            )
        questions = (at for at in range(turns // 2, 0, -1) if prompt.turns[at].role == "user")
        turns = next(questions, 0)
    raise UserError("overflow.summary_too_long", n_ctx=fitted.n_ctx)


class Summarising(QObject):
    """Owns the summary that is being written, if any. Main thread; `close` it at the end."""

    def __init__(
        self,
        *,
        engine: EngineController,
        requests: Requests,
        screen: ChatScreen,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._requests = requests
        self._screen = screen
        self._hop = hop
        self._asking = EngineQuestions(engine, hop, self)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="summaries")
        self._work: _Work | None = None
        engine.reply_event.connect(self._on_reply_event)

    def begin(
        self,
        branch: Branch,
        message: Message,
        *,
        on_ready: Callable[[], None],
        on_end: Callable[[Problem | None], None],
    ) -> None:
        """Make room for a reply.

        Args:
            branch: The chat.
            message: The reply that is to be written, from what it has already.
            on_ready: Called once the request fits, or as far as summaries can make it.
            on_end: Called instead with why there will be no reply; None when it was stopped.
        """
        self._work = _Work(branch, message, on_ready, on_end)
        self._plan(self._work)

    def stop(self) -> None:
        """The user stopped the reply: while a summary is written, the engine ends that."""
        work = self._work
        if work is not None and work.request_id == 0:
            self._work = None
            work.on_end(None)

    def forget(self) -> None:
        """The engine is gone, and whoever asked knows it."""
        self._work = None

    def close(self) -> None:
        """Stop; for the end of the app."""
        self.forget()
        self._asking.give_up()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _plan(self, work: _Work) -> None:
        work.request_id, work.step, work.text = 0, None, ""
        prompt = self._requests.for_reply(work.branch, work.message)
        generation = self._requests.generation(work.branch.chat.id)
        future = self._thread.submit(plan_summary, prompt, generation, self._asking)

        def planned(step: SummaryStep | None) -> None:
            if self._work is not work:
                return
            if step is None:
                self._work = None
                work.on_ready()
            elif self._engine.session.can_answer:
                work.step = step
                work.request_id = self._engine.generate(step.prompt, step.generation)
            else:
                self._end(work, Problem(code="worker.gone"))

        def failed(error: UserError) -> None:
            if self._work is work:
                self._end(work, error.problem)

        self._hop.when_done(future, planned, failed)

    def _on_reply_event(self, event: object) -> None:
        work = self._work
        if work is None or work.request_id == 0 or work.step is None:
            return
        match event:
            case PrefillProgress(request_id=work.request_id):
                self._screen.show_summarising(work.message, event)
            case Delta(request_id=work.request_id):
                work.text += "" if event.thinking else event.text
                self._screen.show_summary(work.message, event, work.step.generation.max_tokens)
            case Finished(request_id=work.request_id):
                self._on_written(work, work.step, event)
            case Failed(request_id=work.request_id):
                self._end(work, event.problem)

    def _on_written(self, work: _Work, step: SummaryStep, finished: Finished) -> None:
        text = work.text.strip()
        if finished.stop_reason == "cancelled":
            self._end(work, None)
        elif not text or finished.stop_reason == "failed":
            params: dict[str, str | int | float] = {"count": step.turns}
            self._end(work, Problem(code="overflow.summary_empty", params=params))
        else:
            self._keep(work, step, text)
            self._plan(work)

    def _keep(self, work: _Work, step: SummaryStep, text: str) -> None:
        """Note the summary at the question that is to be answered."""
        messages = work.branch.messages
        before = messages[: messages.index(work.reply)]
        earlier = summary_of(before)
        first_kept = sent_messages(before)[step.turns]
        record = summary_record(
            text,
            through=messages.index(first_kept),
            tokens=step.tokens + (earlier.tokens if earlier else 0),
            replaced=described(step.prompt.turns[: step.turns]),
        )
        question = next(m for m in reversed(before) if m.role == "user")
        self._requests.keep(work.branch, question, (record,))
        self._screen.show_message(question.id)

    def _end(self, work: _Work, problem: Problem | None) -> None:
        self._work = None
        work.on_end(problem)


class _Work:
    """One reply that waits for room."""

    def __init__(
        self,
        branch: Branch,
        message: Message,
        on_ready: Callable[[], None],
        on_end: Callable[[Problem | None], None],
    ) -> None:
        self.branch = branch
        self.message = message
        self.on_ready = on_ready
        self.on_end = on_end
        self.request_id = 0
        self.step: SummaryStep | None = None
        self.text = ""

    @property
    def reply(self) -> Message:
        """The reply as it stands in the branch."""
        return self.branch.find(self.message.id) or self.message
