"""The command line. Runs where Qt is not installed; only `window` starts Qt."""
