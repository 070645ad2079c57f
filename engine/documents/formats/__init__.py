"""One module per format; each has a function that reads a `Source` into a `Draft`."""
