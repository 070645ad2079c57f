"""The window as a whole: composing it, starting it, and running it without a display.

Whatever is imported of it loads Qt first.
"""

import builtins
import importlib

import PySide6.QtCore  # noqa: F401 - takes Python's `__import__` away

# What PySide has there instead reads the source of each module that is loaded, to learn whether
# that asks for `__feature__`. None here does, and it takes 20 ms of a start.
builtins.__import__ = importlib.__import__
