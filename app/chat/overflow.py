"""Chats that are longer than the context: the records of what was left out, and the policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from app.store.rows import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.store.rows import Message
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Removed, Turn

WHILE_WRITING = frozenset(
    f"overflow.{kind}"
    for kind in ("shifted", "read_again", "reply_shifted", "reply_read_again", "context_full")
)
"""Kinds of records that stand behind the text of a reply: what they tell came to pass there."""

SUMMARIES = frozenset({"overflow.summarised", "overflow.summary_edited"})
"""Kinds of records that hold a summary of older messages."""

_LINE_CHARACTERS = 100
_SPEAKERS = {"user": "You", "assistant": "Reply", "system": "System"}


def removed_record(event: Removed, turns: Iterable[Turn], n_ctx: int) -> Record:
    """What is noted at a reply when something of the conversation did not go with it.

    Args:
        event: What the engine left out.
        turns: The turns that went.
        n_ctx: Tokens that the context holds.
    """
    left_out = event.left_out
    kind = {"before": "dropped", "shifted": "shifted", "read_again": "read_again"}[event.how]
    if left_out.reply_tokens:
        kind = f"reply_{kind}"
    data = {
        "count": left_out.turns,
        "tokens": left_out.tokens,
        "read_again": event.read_again,
        "n_ctx": n_ctx,
        "text": described(turns),
    }
    return Record(kind=f"overflow.{kind}", data=data)


def removed_json(events: Iterable[Removed]) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "kind": "reply" if event.left_out.reply_tokens else "messages",
            "count": event.left_out.turns,
            "tokens": event.left_out.tokens,
            "how": event.how,
            "read_again": event.read_again,
        }
        for event in events
    ]


def full_record(n_ctx: int) -> Record:
    """What is noted at a reply that ended because the context was full."""
    return Record(kind="overflow.context_full", data={"n_ctx": n_ctx})


def described(turns: Iterable[Turn]) -> str:
    """Turns for people, each by its first words."""
    return "\n".join(f"{_SPEAKERS[turn.role]}: {_first_words(turn.text)}" for turn in turns)


class Summary(NamedTuple):
    """What stands for the oldest messages of a branch.

    Attributes:
        text: The model's words, or the user's.
        through: How many messages of the branch it replaces, from the first one on.
        tokens: What these took in the prompt.
    """

    text: str
    through: int
    tokens: int


def summary_record(text: str, *, through: int, tokens: int, replaced: str) -> Record:
    """What is noted at the question from which on a summary stands for older messages."""
    data = {
        "summary": text,
        "through": through,
        "count": through,
        "tokens": tokens,
        "text": replaced,
    }
    return Record(kind="overflow.summarised", data=data)


def edited_summary(record: Record, text: str) -> Record:
    """The record of a summary that the user changed."""
    data = {**record.data, "summary": text}
    return Record(kind="overflow.summary_edited", data=data)


def summary_in(record: Record) -> str:
    """The text of a summary; empty where a record holds none."""
    text = record.data.get("summary") if record.kind in SUMMARIES else ""
    return text if isinstance(text, str) else ""


def summary_of(messages: Sequence[Message]) -> Summary | None:
    """The newest summary on a branch; None when all of it is sent."""
    for index in range(len(messages) - 1, -1, -1):
        for record in reversed(messages[index].records):
            through, tokens = record.data.get("through"), record.data.get("tokens")
            text = summary_in(record)
            # A chat may come from a file that somebody wrote by hand.
            if text and isinstance(through, int) and 0 < through <= index:
                return Summary(text, through, tokens if isinstance(tokens, int) else 0)
    return None


def counting(generation: GenerationSettings) -> GenerationSettings:
    """The settings to count a request with: a summary takes the place of what drop leaves out."""
    if generation.overflow != "summarise":
        return generation
    return msgspec.structs.replace(generation, overflow="drop")


def _first_words(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE_CHARACTERS else line[: _LINE_CHARACTERS - 2] + " …"
