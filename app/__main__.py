"""``python -m app``: the window, or the same job without a display (``--headless``)."""

import sys

from app.window.main import main

if __name__ == "__main__":
    sys.exit(main())
