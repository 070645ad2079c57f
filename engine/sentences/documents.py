"""Sentences about documents: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
