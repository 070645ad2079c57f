"""The mode ``automatic``: a document goes whole when it fits, else as the passages that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from app.store.rows import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from app.chat.prompting import Mode, PromptPart
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Measured, Prompt


class Engine(Protocol):
    """What counts requests as the model does. Calls may wait."""

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request."""


class Choice(NamedTuple):
    """How an automatic document is sent.

    Attributes:
        over: By how many tokens the request, with the reply's reserve, would be longer than the
            context if the document went whole; 0 when it does.
    """

    mode: Mode
    over: int = 0


def automatic_record(name: str, choice: Choice) -> Record:
    """What is noted when a document is too long to go whole."""
    return Record(kind="app.automatic_passages", data={"name": name, "over": choice.over})


def choose_modes(
    parts: Sequence[PromptPart],
    automatic: Collection[str],
    prompt_of: Callable[[Sequence[PromptPart]], Prompt],
    generation: GenerationSettings,
    engine: Engine,
) -> dict[str, Choice]:
    """How to send each automatic document, in the order in which they joined the chat.

    One goes whole when the request with it, with all that goes whole before it, with the
    conversation and with the reply's reserve fits into the context. The engine counts each trial.

    Args:
        parts: All documents of the chat.
        automatic: Ids of those that the choice is about.
        prompt_of: The request for documents that are sent as given.
        generation: Its settings; under a policy that makes room, older turns do not count.
        engine: Counts.
    """

    def over(whole: Collection[str]) -> int:
        tried = [
            part._replace(mode="whole" if part.document.id in whole else "passages")
            if part.document.id in automatic
            else part
            for part in parts
        ]
        measured = engine.measure(prompt_of(tried), generation)
        return measured.prompt_tokens + measured.reply_reserve - measured.n_ctx

    ids = [part.document.id for part in parts if part.document.id in automatic]
    if not ids or over(ids) <= 0:
        return {key: Choice("whole") for key in ids}
    chosen: dict[str, Choice] = {}
    whole: list[str] = []
    for key in ids:
        too_long = over([*whole, key])
        if too_long <= 0:
            whole.append(key)
        chosen[key] = Choice("passages", too_long) if too_long > 0 else Choice("whole")
    return chosen
