"""Sentences about settings: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "settings.invalid": (
        "{title} cannot be {value}.",
        "Allowed: {allowed}.",
    ),
    "settings.unknown": (
        "There is no setting named {name}.",
        "It was left out. `leadline ask --help` lists the settings.",
    ),
    "settings.unreadable": (
        "The stored settings could not be read.",
        "The defaults are in use; change what you need and they are stored again.",
    ),
}
