"""The window as a whole: composing it, starting it, and running it without a display.

Whatever is imported of it loads Qt first.
"""

import builtins
import gc
import importlib

# PySide puts a function in its place that reads the source of each module that is loaded, to learn
# whether that asks for `__feature__`. None here does, and it takes 20 ms of a start.
_IMPORT = builtins.__import__
# All that it makes stays. Looking through it for garbage meanwhile takes 3 ms.
_COLLECTS = gc.isenabled()
gc.disable()
importlib.import_module("PySide6.QtCore")
if _COLLECTS:
    gc.enable()
# Where that was loaded before, Python's own in Python is the next best.
builtins.__import__ = _IMPORT if _IMPORT.__name__ == "__import__" else importlib.__import__
