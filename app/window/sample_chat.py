"""Written conversations for the pictures: a rich reply, and a very long chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.store.chat_store import ChatStore
    from app.store.rows import Role

QUESTION = "How do the marks on a hand leadline work, and can you turn them into code?"

REPLY = """\
A hand leadline is marked so that the leadsman can tell the depth **by touch**, also at night. \
Each mark has a feel of its own:

| Fathoms | Mark | Felt as |
| ---: | --- | --- |
| 2 | two strips of leather | two tails |
| 3 | three strips of leather | three tails |
| 5 | white cotton rag | smooth |
| 7 | red wool bunting | coarse |
| 10 | leather with a hole | a ring |

Depths *between* marks are called **deeps** and are estimated. One fathom is six feet, so a depth \
of $d$ fathoms is $d \\times 1.8288$ metres:

```python
MARKS = {2: "two strips", 3: "three strips", 5: "white rag", 7: "red bunting"}

def call(fathoms: int) -> str:
    # A mark is sung out as it is; what lies between is a deep.
    kind = "By the mark" if fathoms in MARKS else "By the deep"
    return f"{kind} {fathoms}"

print(call(7), "=", round(7 * 1.8288, 1), "m")
```

Two things to keep in mind:

1. The lead weighs 7 to 14 pounds; a deep-sea lead weighs more than twice that.
2. A hollow at its foot is *armed* with tallow, which brings up a sample of the bottom.
"""

_SHORT = (
    "Soundings were called in fathoms. The tallow brought up sand and shells, which told the "
    "master as much as the number did."
)


def add_sample_chat(store: ChatStore) -> int:
    """Store a chat with one question and one rich reply; its id."""
    chat = store.chats.create(title="Marks on a leadline").wait()
    asked = store.messages.add(chat.id, None, "user", QUESTION).wait()
    store.messages.add(chat.id, asked.id, "assistant", REPLY).wait()
    return chat.id


def add_long_chat(store: ChatStore, messages: int) -> int:
    """Store a chat of many messages; its id."""
    chat = store.chats.create(title="Log of a long voyage").wait()
    parent: int | None = None
    for number in range(messages):
        is_question = number % 2 == 0
        text = f"Day {number // 2 + 1}: what depth?" if is_question else _SHORT
        if number % 20 == 19:
            text = REPLY
        role: Role = "user" if is_question else "assistant"
        parent = store.messages.add(chat.id, parent, role, text).value.id
    store.flush(60.0)
    return chat.id
