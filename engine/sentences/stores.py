"""Sentences about stores: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
