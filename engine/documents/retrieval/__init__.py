"""Finding the passages of documents that a question is about.

Words are searched with SQLite's FTS5 (BM25), always; meaning with embeddings, where a model for
them is configured. Both rankings are fused by reciprocal rank (fuse.py) and become passages within
a budget of tokens (passages.py).
"""
