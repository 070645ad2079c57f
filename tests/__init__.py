"""The tests. A package by name, so that its scripts run as modules whatever else is installed."""
