"""Sentences about lab: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
