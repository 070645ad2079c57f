"""``python -m engine.embedding``: the embedding process."""

from engine.embedding.process import main

if __name__ == "__main__":
    main()
