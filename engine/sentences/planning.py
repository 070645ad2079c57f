"""Sentences about planning: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
