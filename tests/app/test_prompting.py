"""What is sent for the messages of a chat."""

from __future__ import annotations

import pytest

from app.chat.prompting import prompt_for
from app.store.rows import Message


def message(text: str, role: str = "user", thinking: str = "") -> Message:
    return Message(
        id=1,
        chat_id=1,
        parent_id=None,
        role="user" if role == "user" else "assistant",
        text=text,
        thinking=thinking,
    )


@pytest.mark.parametrize(
    ("text", "thinking", "sent"),
    [
        ("", "", ("", "")),
        ("So it is", "", ("So it is", "")),
        ("", "Let me see", ("", "Let me see")),
        # What led to a text is not read again.
        ("So it is", "Let me see", ("So it is", "")),
    ],
)
def test_a_reply_goes_on_from_what_it_has(text: str, thinking: str, sent: tuple[str, str]) -> None:
    prompt = prompt_for(1, [message("Why?")], [], reply=message(text, "assistant", thinking))
    assert [turn.text for turn in prompt.turns] == ["Why?"]
    assert (prompt.prefill_reply, prompt.prefill_thinking) == sent


def test_reasoning_of_earlier_replies_is_not_sent() -> None:
    said = [message("Why?"), message("Because.", "assistant", "Let me see"), message("How?")]
    prompt = prompt_for(1, said, [])
    assert [turn.text for turn in prompt.turns] == ["Why?", "Because.", "How?"]
    assert (prompt.prefill_reply, prompt.prefill_thinking) == ("", "")
