"""``python -m engine.worker``: started by `engine.worker.client`, never by hand."""

from engine.worker.process import main

if __name__ == "__main__":
    main()
