"""Sentences about worker: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
