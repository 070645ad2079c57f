"""Sentences about model files: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "models.demo_missing": (
        "The demo model is not installed.",
        "Run `make setup`, or choose a GGUF file of your own.",
    ),
    "models.not_found": (
        "There is no file at {path}.",
        "Check the path, or use `demo` for the bundled model.",
    ),
}
