"""Compiles Leadline's one file of C into the environment, and says where the library is.

Standard library only: called at set-up (`python -m engine.native` does it alone). Leadline runs
without the library as well, somewhat slower on fast GPUs.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.system import processor

_SOURCE = Path(__file__).parent / "llama" / "sampling.c"
_HEADER = _SOURCE.with_name("lanes.h")
_COMPILERS = ("cc", "gcc", "clang")
_TIMEOUT_S = 60.0


def library_path(prefix: Path | None = None) -> Path:
    """Where the library of this source and this processor is, once it is compiled.

    Args:
        prefix: Folder of the environment; that of the running Python if not given.
    """
    # It uses all that this processor can do: it does not fit every other one.
    digest = hashlib.sha256(_SOURCE.read_bytes() + _HEADER.read_bytes() + processor().encode())
    return (
        Path(prefix or sys.prefix) / "lib" / "leadline" / f"sampling-{digest.hexdigest()[:12]}.so"
    )


def compile_library(prefix: Path | None = None, *, target: str = "native") -> bool:
    """Compile it where it is missing; whether it is there afterwards.

    Args:
        prefix: As for `library_path`.
        target: The processor, as compilers name it; this one if not given.
    """
    path = library_path(prefix)
    if path.exists():
        return True
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None or sys.platform == "win32":
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that nobody loads half a library.
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        command = [compiler, "-std=c11", "-O3", f"-march={target}", "-shared", "-fPIC"]
        try:
            done = subprocess.run(
                [*command, "-o", str(made), str(_SOURCE)], capture_output=True, timeout=_TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode:
            return False
        made.replace(path)
    return True


if __name__ == "__main__":
    sys.exit(0 if compile_library() else 1)
