"""Runs a build that takes minutes, and says every half minute how far it is. Standard library only.

Its own output is thousands of lines of compiler commands: only its end is kept, for a failure.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections import deque
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_EVERY_S = 30.0
_KEPT_LINES = 80
# As ninja and make count: [43/120], [ 43%].
_COUNTED = re.compile(r"\[\s*(\d+)/(\d+)\]")
_PERCENT = re.compile(r"\[\s*(\d+)%\]")


class BuildProgress:
    """What is known of a build from its output. Fed by one thread, read by another."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._share: float | None = None

    def take(self, line: str) -> None:
        """Look at a line of the build tool."""
        self._lines.append(line)
        if counted := _COUNTED.search(line):
            done, total = int(counted[1]), int(counted[2])
            self._share = done / total if total else None
        elif percent := _PERCENT.search(line):
            self._share = int(percent[1]) / 100

    def words(self, elapsed_s: float) -> str:
        """How far it is, and since when."""
        minutes, seconds = divmod(round(elapsed_s), 60)
        elapsed = f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
        share = "" if self._share is None else f"{self._share:.0%}, "
        return f"{share}{elapsed}"

    def end(self) -> str:
        """The last lines, which say why it failed."""
        return "\n".join(self._lines)


def run_build(
    command: Sequence[str],
    *,
    what: str,
    env: Mapping[str, str],
    say: Callable[[str], None],
    every_s: float = _EVERY_S,
) -> bool:
    """Run a build to its end; whether it succeeded. When not, its last lines are said.

    Args:
        command: What builds.
        what: What is built, to begin each line with.
        env: Its whole environment.
        say: Takes a line for the person who waits.
        every_s: Seconds between lines.
    """
    progress, started_s = BuildProgress(), time.monotonic()
    with subprocess.Popen(
        command,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as build:
        assert build.stdout
        reader = threading.Thread(target=_read, args=(build.stdout, progress), daemon=True)
        reader.start()
        try:
            while not _has_ended(build, every_s):
                say(f"{what}: {progress.words(time.monotonic() - started_s)}")
        except BaseException:
            # Ctrl+C: the build hears of it too, but may be stuck.
            build.kill()
            raise
        reader.join()
    if build.returncode:
        say(progress.end())
    return build.returncode == 0


def _has_ended(build: subprocess.Popen[str], within_s: float) -> bool:
    try:
        build.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _read(output: IO[str], progress: BuildProgress) -> None:
    for line in output:
        progress.take(line.rstrip())
