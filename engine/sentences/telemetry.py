"""Sentences about telemetry: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {}
