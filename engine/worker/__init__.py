"""The worker process that holds a model, and both ends of the protocol to it."""
