"""``python -m engine.planning``: started by `engine.planning.client`, never by hand."""

from engine.planning.process import main

if __name__ == "__main__":
    main()
