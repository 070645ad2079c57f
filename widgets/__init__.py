"""Views only: typed data in, signals out. No engine process, no NVML, no SQLite."""
