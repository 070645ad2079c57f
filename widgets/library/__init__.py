"""The library: every document that was read, wherever it is used."""
