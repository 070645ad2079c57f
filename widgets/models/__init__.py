"""The Models page: every model file found, searchable, one click from being loaded."""
