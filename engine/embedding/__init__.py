"""Embeddings of texts by a GGUF embedding model, in a process beside the chat model's worker."""
