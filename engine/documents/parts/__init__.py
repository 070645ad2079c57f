"""Documents that exceed the window, read part by part: cut, read with notes, merged, answered.

Pure logic and one driver that waits: no Qt, no process of its own. The command line and the window
both run it, each with its own way to reach the engine.
"""
