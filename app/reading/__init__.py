"""Reading documents in parts in the window: the cost, the user's word, progress, the notes."""
