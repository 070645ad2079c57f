"""The owner's end of a process that the engine starts: environment, stdio, log, end.

The child's end is `engine.child_main`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from engine.framing import FramingError, read_frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

_ROOT = Path(__file__).resolve().parents[1]
_END_S = 2.0
_DYING_S = 0.5
_LOG_S = 2.0
_LOG_LINES = 60
_LINE_BYTES = 16 * 1024


def environment() -> dict[str, str]:
    """This process's environment, in which a child imports this very `engine`."""
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "GGML_NO_BACKTRACE": "1",
    }


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a process with unbuffered pipes to it.

    Args:
        command: What to start.
        env: Additions to the environment.
        stdout: Where its output goes; a pipe by default.
        stderr: Where its log goes; a pipe by default, which must be read.

    Raises:
        OSError: The program cannot be started.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        bufsize=0,
        env={**environment(), **(env or {})},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def end(process: subprocess.Popen[bytes], grace_s: float = _END_S) -> None:
    """End a process: it leaves when its stdin closes, or is killed."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    wait_or_kill(process, grace_s)


def wait_or_kill(process: subprocess.Popen[bytes], grace_s: float = _END_S) -> None:
    """Wait for the end of a process that has been told to leave, and kill it when it stays."""
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class ChildProcess:
    """A process that talks in frames over its stdio, and the last lines of its log.

    Owned by whoever started it. A thread of its own reads the log, so that it never stands still
    for want of a reader.

    Attributes:
        process: The process itself.
        stdin: What it reads.
        stdout: What it writes.
        garbage: Why what it wrote could not be understood, for which it was killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        env: Mapping[str, str] | None = None,
        on_log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Start it.

        Args:
            command: What to start.
            name: Of its threads.
            env: Additions to the environment.
            on_log: Every line of its log, on the thread that reads it.

        Raises:
            OSError: The program cannot be started.
        """
        self.process = start(command, env=env)
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin: IO[bytes] = self.process.stdin
        self.stdout: IO[bytes] = self.process.stdout
        self.garbage = ""
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._on_log = on_log
        self._log = threading.Thread(
            target=self._read_log, args=(self.process.stderr,), name=f"{name}-log", daemon=True
        )
        self._log.start()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self.process.pid if self.process.poll() is None else None

    def send(self, body: bytes) -> None:
        """Write one frame.

        Raises:
            OSError: It is gone.
            ValueError: Its stdin was closed.
        """
        write_frame(self.stdin, body)

    def answers(self, decode: Callable[[bytes], T]) -> Iterator[T]:
        """What it says, until it ends. One that cannot be understood is killed."""
        with self.stdout:
            try:
                while (body := read_frame(self.stdout)) is not None:
                    yield decode(body)
            except (FramingError, msgspec.DecodeError) as error:
                # A stream that is cut by a death is the death's symptom, not garbage.
                try:
                    self.process.wait(_DYING_S)
                except subprocess.TimeoutExpired:
                    self.garbage = str(error)
                    self._lines.append(f"protocol: {error}")
                    self.process.kill()

    def log_tail(self) -> tuple[str, ...]:
        """The last lines of its log. Those of a process that has ended say why: all are there."""
        if self.process.poll() is not None:
            self._log.join(_LOG_S)
        return tuple(self._lines)

    def close(self, grace_s: float = _END_S) -> None:
        """End it and close its pipes. For the one thread that reads `stdout`."""
        end(self.process, grace_s)
        self.stdout.close()
        self._log.join(_LOG_S)

    def _read_log(self, stderr: IO[bytes]) -> None:
        # Buffered: an unbuffered pipe would be read byte by byte for the ends of the lines.
        with open(stderr.fileno(), "rb", closefd=False) as lines, stderr:
            while line := lines.readline(_LINE_BYTES):
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                self._lines.append(text)
                self._on_log(text)
