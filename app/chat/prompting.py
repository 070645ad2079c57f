"""Builds what is sent to the engine from a chat's shown branch and its documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from app.chat.overflow import summary_of
from engine.documents.pages import chosen_pages
from engine.documents.prompt import citation_names, citing_instruction, document_block
from engine.worker.protocol import Prompt, PromptDocument, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.store.rows import Message
    from engine.documents.model import Document

Mode = Literal["whole", "passages", "parts"]
ChosenMode = Literal["automatic", "whole", "passages", "parts"]


def mode_named(stored: str) -> ChosenMode:
    """A mode as the store has it; whole where it is one of a newer version."""
    named: dict[str, ChosenMode] = {mode: mode for mode in get_args(ChosenMode)}
    return named.get(stored, "whole")


_SUMMARY = "Summary of the conversation before:"


def prompt_for(
    chat_id: int | None,
    messages: Iterable[Message],
    documents: Sequence[PromptDocument],
    *,
    instruction: str = "",
    passages: str = "",
    draft: str | None = None,
    reply: Message | None = None,
) -> Prompt:
    """The prompt that answers the last of `messages`, or the draft that would follow them.

    An empty draft counts as a message too: its frame is part of what would be sent. Where `reply`
    has text or reasoning already, it goes on from there.

    A reply that failed or was never begun is left out: the model did not say it. A reply that was
    stopped is kept as far as it goes, because the user saw it and answered it. Messages that a
    summary stands for are left out as well.
    """
    messages = tuple(messages)
    summary = summary_of(messages)
    turns = [Turn(role=each.role, text=each.text) for each in sent_messages(messages)]
    if draft is not None:
        turns.append(Turn(role="user", text=draft))
    return Prompt(
        chat_id=str(chat_id or ""),
        turns=tuple(turns),
        documents=tuple(documents),
        instruction=instruction,
        summary=f"{_SUMMARY}\n{summary.text}" if summary else "",
        passages=passages,
        prefill_reply=reply.text if reply else "",
        prefill_thinking=reply.thinking if reply and not reply.text else "",
    )


def sent_messages(messages: Sequence[Message]) -> list[Message]:
    """The messages that go to the model as turns; a summary stands for those before them."""
    summary = summary_of(messages)
    return [
        message
        for message in messages[summary.through if summary else 0 :]
        if message.text or message.role == "user"
    ]


class PromptPart(NamedTuple):
    """A document, which of its pages are sent (empty means all), and how.

    ``whole`` puts these pages in front of the conversation; of ``passages`` only those that answer
    to a question go with it, and of ``parts`` the notes that were taken while all of it was read.
    """

    document: Document
    selection: str = ""
    mode: Mode = "whole"


def prompt_documents(parts: Sequence[PromptPart]) -> tuple[PromptDocument, ...]:
    """Documents that are sent whole, in the order in which they joined the chat.

    The order and the names never change when one is added at the end, so that what is in front of
    it stays in the KV cache.

    Raises:
        UserError: ``app.bad_pages`` for a selection that names no page.
    """
    names = citation_names([part.document.name for part in parts])
    return tuple(
        PromptDocument(
            id=part.document.id,
            name=part.document.name,
            text=document_block(name, chosen_pages(part.document, part.selection)),
        )
        for name, part in zip(names, parts, strict=True)
        if part.mode == "whole"
    )


def prompt_instruction(parts: Sequence[PromptPart]) -> str:
    """How to cite these documents; empty without any."""
    names = citation_names([part.document.name for part in parts])
    return citing_instruction(
        (name, chosen_pages(part.document, part.selection))
        for name, part in zip(names, parts, strict=True)
    )
