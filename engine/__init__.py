"""The engine: everything the command line needs, without Qt."""
