"""Windows beside the main one: preferences, shortcuts, the log, a crash report, a question."""
