"""The app's side of the engine: the controller that owns the worker, and what the pane shows."""
