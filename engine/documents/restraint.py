"""How the processes that open files from anywhere bound themselves."""

from __future__ import annotations

import sys
from contextlib import suppress


def restrain(memory_bytes: int) -> None:
    """Bound this process's memory where the system can do that; the owner watches it anyway."""
    if sys.platform == "linux":
        import resource

        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
