"""Sentences about documents that are read in parts: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "parts.no_room": (
        "The context of {n_ctx:,} tokens is too small to read documents in parts.",
        "Choose a larger context, or ask in fewer words.",
    ),
    "parts.nothing_to_read": (
        "There is no text in the documents that are to be read in parts.",
        "Add a document with text, or choose other pages.",
    ),
    "parts.stopped": (
        "Stopped after {done} of {total} parts; what was read is kept.",
        "Ask the same question again to read the rest.",
    ),
    "parts.declined": (
        "Nothing was read.",
        "",
    ),
    "parts.only_thoughts": (
        "The model thought for {tokens} tokens and wrote no notes.",
        "Choose a model that can answer without thinking.",
    ),
    "parts.other_model": (
        "Another model, or a shorter context, was loaded while documents were read in parts.",
        "Go back to the one before and go on, or ask again to begin anew.",
    ),
    "parts.not_read": (
        "The part could not be read.",
        "",
    ),
    "parts.read": (
        "{name}: parts read: {count} ({tokens:,} tokens); with something about the question: "
        "{with_notes}.",
        "",
    ),
    "parts.read_some_failed": (
        "{name}: parts: {count} ({tokens:,} tokens); with something about the question: "
        "{with_notes}; not read: {missing}.",
        "",
    ),
}
