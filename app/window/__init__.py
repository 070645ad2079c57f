"""The window as a whole: composing it, starting it, and running it without a display."""
