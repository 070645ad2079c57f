"""Sentences about conversations that are longer than the context: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "overflow.dropped": (
        "Left out of this request to make room: the {count:,} oldest messages ({tokens:,} tokens). "
        "They stay in the chat.",
        "",
    ),
    "overflow.shifted": (
        "The context of {n_ctx:,} tokens filled while this was written. Taken out of it: the "
        "{count:,} oldest messages ({tokens:,} tokens); the rest moved up in the KV cache.",
        "",
    ),
    "overflow.read_again": (
        "The context of {n_ctx:,} tokens filled while this was written. Taken out of it: the "
        "{count:,} oldest messages ({tokens:,} tokens); the rest ({read_again:,} tokens) was read "
        "again, because this KV cache cannot be shifted.",
        "",
    ),
    "overflow.reply_shifted": (
        "The context of {n_ctx:,} tokens filled while this was written. Taken out of it: the "
        "oldest {tokens:,} tokens of this reply, whose text stays here; the rest moved up in the "
        "KV cache.",
        "",
    ),
    "overflow.reply_read_again": (
        "The context of {n_ctx:,} tokens filled while this was written. Taken out of it: the "
        "oldest {tokens:,} tokens of this reply, whose text stays here; the rest ({read_again:,} "
        "tokens) was read again, because this KV cache cannot be shifted.",
        "",
    ),
    "overflow.context_full": (
        "The reply ends here because the context of {n_ctx:,} tokens is full.",
        "",
    ),
    "overflow.summarised": (
        "The {count:,} oldest messages ({tokens:,} tokens) go to the model as this summary from "
        "here on. They stay in the chat.",
        "",
    ),
    "overflow.summary_edited": (
        "The {count:,} oldest messages ({tokens:,} tokens) go to the model as this summary, which "
        "you edited, from here on. They stay in the chat.",
        "",
    ),
    "overflow.summary_empty": (
        "The model wrote no summary of the {count:,} oldest messages, so nothing was left out and "
        "nothing was sent.",
        "Try again, choose another model, or let the oldest messages be dropped.",
    ),
    "overflow.summary_too_long": (
        "Not even the oldest question with its answer fits into the context of {n_ctx:,} tokens "
        "together with what always stays, so it cannot be summarised.",
        "Choose a longer context, or take out a document.",
    ),
}
