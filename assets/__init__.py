"""Icons, fonts and the sample document, read through importlib.resources."""
