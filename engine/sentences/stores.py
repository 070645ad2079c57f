"""Sentences about stored chats, documents and settings: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "stores.in_use": (
        "Leadline is already open with the chats in {path}.",
        "Use that window, or close it first.",
    ),
    "stores.newer": (
        "The chats in {path} were written by a newer Leadline.",
        "Update Leadline. Nothing was changed in the file.",
    ),
    "stores.damaged": (
        "The stored chats are damaged and could not be opened.",
        "The damaged file was kept as {path}; Leadline begins with an empty list.",
    ),
    "stores.damage_found": (
        "A part of the stored chats is damaged.",
        "Export what you still see, then start Leadline again. The file {path} is kept.",
    ),
    "stores.disk_full": (
        "The disk is full, so the last change is not saved.",
        "Make room on the disk that holds {path}.",
    ),
    "stores.read_only": (
        "Leadline may not write to {path}, so changes are not saved.",
        "Give yourself the right to write there, or set LEADLINE_HOME to another folder.",
    ),
    "stores.cannot_open": (
        "The stored chats in {path} cannot be opened.",
        "Check that the folder exists and that you may write there.",
    ),
    "stores.disk_error": (
        "The disk did not read or write {path}.",
        "Check the disk and that it is still connected.",
    ),
    "stores.busy": (
        "Another program holds the stored chats, so the last change is not saved.",
        "Close the program that has {path} open.",
    ),
    "stores.not_saved": (
        "What was written last could not be saved.",
        "Make sure that {path} can be written before you start Leadline again.",
    ),
    "stores.not_a_chat": (
        "Not a chat exported from Leadline: {name}.",
        "Choose a JSON file that was made with Export.",
    ),
    "stores.chat_too_new": (
        "Exported by a newer Leadline: {name}.",
        "Update Leadline and import it again.",
    ),
    "stores.chat_file_unreadable": (
        "Could not be read: {name} ({reason}).",
        "Check that the file is still there and that you may read it.",
    ),
    "stores.document_not_here": (
        "The document {name} belongs to this chat but is not stored here.",
        "Add the file again to ask about it.",
    ),
    "stores.settings_damaged": (
        "The stored settings could not be read, so the defaults are in use.",
        "The unreadable file was kept as {path}.",
    ),
    "stores.settings_newer": (
        "The stored settings were written by a newer Leadline.",
        "What this version knows is used. A copy of the file was kept as {path}.",
    ),
    "stores.passages_damaged": (
        "The search index of the documents was damaged, so it is made anew.",
        "The damaged file was kept as {path}; it may be deleted. No chat and no document is lost.",
    ),
    "stores.passages_in_memory": (
        "The search index of the documents cannot be kept in {path}.",
        "It is made anew each time until the disk has room there and Leadline may write to it.",
    ),
}
