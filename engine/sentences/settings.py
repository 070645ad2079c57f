"""Sentences about settings: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
