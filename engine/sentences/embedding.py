"""Sentences about the search by meaning: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "embedding.no_embedding_model": (
        "{name} is no embedding model: its file does not say how to make one vector of a text.",
        "Choose a GGUF file of an embedding model, such as all-MiniLM, bge, nomic-embed or "
        "Qwen3-Embedding, in the preferences under Documents.",
    ),
    "embedding.no_vectors": (
        "The embedding model gives no vectors.",
        "Choose another embedding model in the preferences under Documents.",
    ),
    "embedding.unusable": (
        "The embedding model cannot be used: {reason}",
        "Choose another embedding model in the preferences under Documents.",
    ),
    "embedding.gone": ("The embedding model was changed meanwhile.", ""),
    "embedding.crashed": (
        "The embedding model stopped ({reason}).",
        "If it stops again, choose another embedding model in the preferences under Documents.",
    ),
    "embedding.stalled": (
        "The embedding model did not answer for {seconds:.0f} seconds and was stopped.",
        "Choose a smaller embedding model in the preferences under Documents.",
    ),
    "embedding.not_started": (
        "The embedding model could not be started: {reason}",
        "Run `make setup` again.",
    ),
    "embedding.not_yet": (
        "{name} is not ready to be searched by meaning: {done:,} of {total:,} passages are.",
        "Ask again when all are.",
    ),
    "embedding.shortened": (
        "{count:,} passages of {name} are longer than the embedding model reads: their meaning is "
        "that of their beginning.",
        "An embedding model with a longer context reads them whole.",
    ),
}
