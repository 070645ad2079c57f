"""Sentences about chats and their documents in the app: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "app.not_exported": (
        "{path} could not be written: {reason}",
        "Choose another folder. What was there before is as it was.",
    ),
    "app.paste_not_kept": (
        "The pasted text could not be kept as a document: {reason}",
        "Make room on the disk, then paste it again.",
    ),
    "app.document_read_again": (
        "{name} had changed on disk and was read again. What was answered before this is from the "
        "older text.",
        "",
    ),
    "app.document_lost": (
        "The stored text of {name} could not be found.",
        "Drop the file again.",
    ),
    "app.bad_pages": (
        "{pages} names no page of this document.",
        "Write pages such as 3-9, 12; the last one is {last}.",
    ),
    "app.pages_left_out": (
        "Only pages {pages} of {name} were given to the model ({left_out} of {count} pages left "
        "out).",
        "",
    ),
    "app.automatic_passages": (
        "{name} went as passages: whole, with room for a reply, it would be {over} tokens too long "
        "for the context.",
        "",
    ),
    "app.passages_given": (
        "{count:,} of {out_of:,} passages from {name} were given to the model ({tokens:,} tokens).",
        "",
    ),
    "app.no_passages": (
        "No passage of {name} has words of the question in it; nothing of it was given to the "
        "model.",
        "",
    ),
    "app.passages_behind": (
        "No passage of {name} is among the best for this question; nothing of it was given to the "
        "model.",
        "",
    ),
    "app.passages_do_not_fit": (
        "{count:,} passages of {name} answer to the question, and none fits into the context.",
        "",
    ),
}
