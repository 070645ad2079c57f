"""Sentences about documents: code -> (message, fix).

Codes that begin with ``documents.note_`` accompany a document that was read; all others say why
one was not.
"""

SENTENCES: dict[str, tuple[str, str]] = {
    "documents.missing": (
        "There is no file at {path}.",
        "Check the name, or whether the drive it lies on is connected.",
    ),
    "documents.name_not_text": (
        "The name of {name} holds characters that cannot be read.",
        "Rename the file, and add it again.",
    ),
    "documents.no_permission": (
        "{name} may not be read by you.",
        "Give yourself permission to read {path}, or copy it to a folder of your own.",
    ),
    "documents.unreadable": (
        "{name} could not be read: {reason}.",
        "Check the drive it lies on, or copy the file elsewhere and try again.",
    ),
    "documents.not_a_file": (
        "{name} is not a file that can be read, but a device or a pipe.",
        "Choose a file.",
    ),
    "documents.nothing_to_read": (
        "There is no text file in {name} that is not left out by its ignore rules.",
        "Add the files that you want to ask about one by one.",
    ),
    "documents.too_many_files": (
        "{name} holds more than {limit:,} files.",
        "Add a folder further down, or only the files you need.",
    ),
    "documents.unpacks_too_big": (
        "{name} unpacks to {size}, and archives are read up to {limit}.",
        "Unpack it yourself and add only the part you need.",
    ),
    "documents.empty": (
        "{name} is empty.",
        "Check whether it was saved or copied completely.",
    ),
    "documents.binary": (
        "{name} holds no text that can be read.",
        "Choose a document: text, Markdown, source code, CSV, HTML, PDF or an office file.",
    ),
    "documents.image": (
        "{name} is a picture, and pictures are not read.",
        "Run it through text recognition (OCR) and add the result.",
    ),
    "documents.unsupported": (
        "{name} is in a format that is not read: {format}.",
        "Save or export it as PDF, as text or in a current office format, and add that.",
    ),
    "documents.encrypted": (
        "{name} is encrypted.",
        "Enter its password to read it.",
    ),
    "documents.wrong_password": (
        "The password does not open {name}.",
        "Enter it again; capital letters and the keyboard layout matter.",
    ),
    "documents.protected": (
        "{name} is protected in a way that cannot be opened here.",
        "Open it in the program it comes from, save a copy without a password, and add that.",
    ),
    "documents.scanned": (
        "{name} is scanned: {pictured} of {pages} pages are pictures without text.",
        "Run it through text recognition (OCR) and add the result.",
    ),
    "documents.no_text": (
        "There is no text in {name}.",
        "If it shows text as pictures, run it through text recognition (OCR) first.",
    ),
    "documents.too_big": (
        "{name} is too large: {size}, and files of its kind are read up to {limit}.",
        "Split it, or add only the part you need.",
    ),
    "documents.too_many_pages": (
        "{name} has more than {limit:,} pages.",
        "Split it, or add only the part you need.",
    ),
    "documents.too_much_text": (
        "{name} holds more than {limit:,} characters of text.",
        "Split it, or add only the part you need.",
    ),
    "documents.corrupt": (
        "{name} is damaged or was cut off, and cannot be read.",
        "Copy or download it again, or open it in the program it comes from and save it anew.",
    ),
    "documents.crashed": (
        "Reading {name} failed: the reader stopped in the middle of it.",
        "The file is probably damaged. Save it anew in the program it comes from and try again.",
    ),
    "documents.killed": (
        "Reading {name} failed: the reader was ended from outside ({signal}). The system does this "
        "when memory runs out.",
        "Close other programs and try again.",
    ),
    "documents.not_started": (
        "Reading {name} could not be started ({reason}).",
        "Close other programs and try again.",
    ),
    "documents.stalled": (
        "Reading {name} was given up after {seconds:.0f} seconds without an end in sight.",
        "The file may be damaged. Split it, or add only the part you need.",
    ),
    "documents.too_much_memory": (
        "Reading {name} took more memory than a document may.",
        "Split it, or add only the part you need.",
    ),
    "documents.not_read_yet": (
        "{name} was not read: Leadline ended before.",
        "Read it now, or remove it.",
    ),
    "documents.cancelled": (
        "Reading {name} was cancelled.",
        "Add it again to read it.",
    ),
    "documents.note_images": (
        "Images in {name} that were not read: {count:,}.",
        "What they show is unknown to the model.",
    ),
    "documents.note_images_on": (
        "Images in {name} that were not read: {count:,} (p. {pages}).",
        "What they show is unknown to the model.",
    ),
    "documents.note_scanned_pages": (
        "{count:,} of {out_of:,} pages of {name} are pictures without text and were not read: "
        "{pages}.",
        "Run the file through text recognition (OCR) to have them read.",
    ),
    "documents.note_pictured_pages": (
        "{count:,} of {pages:,} pages of {name} are pictures without text and were not read.",
        "Run the file through text recognition (OCR) to have them read.",
    ),
    "documents.note_damaged_pages": (
        "{count:,} of {pages:,} pages of {name} are damaged and were not read.",
        "Download the file again, or save it anew in the program it comes from.",
    ),
    "documents.note_attachments": (
        "{count:,} files attached to {name} were not read.",
        "Save them and add them as documents of their own.",
    ),
    "documents.note_form": (
        "{name} is a form; what was filled in its fields was not read.",
        "Print it to a new PDF to have the entries read.",
    ),
    "documents.note_formulas": (
        "Some cells of {name} hold formulas that were never computed; the formulas were read.",
        "Open it in a spreadsheet program and save it, to have their results.",
    ),
    "documents.note_unread_files": (
        "{count:,} files in {name} are no text and were not read: {names}.",
        "Add those that are documents on their own.",
    ),
    "documents.note_ignored_files": (
        "{count:,} files in {name} were left out by its ignore rules.",
        "Add one that you need on its own.",
    ),
    "documents.note_encoding": (
        "{name} does not say how its text is encoded; it was read as {encoding}.",
        "If letters look wrong, save the file as UTF-8.",
    ),
    "documents.note_undecodable": (
        "{count:,} characters of {name} could not be decoded and stand as \ufffd.",
        "Save the file as UTF-8.",
    ),
    "documents.note_hidden": (
        "{count:,} invisible characters were taken out of {name}.",
        "They show nothing, but could have misled a reader or the model.",
    ),
    "documents.note_wrong_extension": (
        "{name} is not what its name says; it was read as {kind}.",
        "Rename it if that is right.",
    ),
}
