"""Sentences about tokens that had to be read again: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "reuse.window": (
        "Part of the conversation is read again: the model's sliding window has moved past it.",
        "Turning on “Full sliding window” keeps more, and takes more memory.",
    ),
    "reuse.recurrent": (
        "Part of the conversation is read again: this model's memory cannot be cut back to any "
        "place, only to where its state was saved.",
        "",
    ),
    "reuse.compressed": (
        "Part of the conversation is read again: this model keeps its context compressed and can "
        "go back only to where its state was saved.",
        "",
    ),
    "reuse.evicted": (
        "This chat is read again: its state was dropped to stay within “Parked chats”.",
        "A larger “Parked chats” keeps more chats at hand.",
    ),
    "reuse.moved": (
        "This chat was read again from where it changed: something before it, such as a document "
        "or the system prompt, was added, taken out or changed.",
        "",
    ),
    "reuse.lost": (
        "This chat is read again: its saved state could not be put back.",
        "",
    ),
}
