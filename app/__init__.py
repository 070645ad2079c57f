"""Composition root: the only layer that knows both the engine and the widgets."""
