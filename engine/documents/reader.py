"""Runs the reading of documents in processes of their own.

`DocumentReader` is the only way the app reads a file: `read` blocks (command line), `start` returns
at once and calls back from a thread (window). Whatever a file does to its reading process - hang,
crash, eat memory - comes out as one `UserError`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.documents.limits import Limits
from engine.documents.messages import (
    EXIT_OUT_OF_MEMORY,
    REPLY_DECODER,
    Done,
    Failed,
    Progress,
    ReadRequest,
)
from engine.errors import Problem, UserError
from engine.packing import packed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from engine.child_process import ChildProcess
    from engine.documents.model import Document

_AT_ONCE = 2
_FROM_OUTSIDE = {1: "SIGHUP", 2: "SIGINT", 9: "SIGKILL", 15: "SIGTERM"}
_WATCH_INTERVAL_S = 0.1
_END_S = 1.0


class ReadingJob:
    """One file being read. Owned by whoever started it; may be cancelled from any thread."""

    def __init__(self, path: Path, password: str | None, limits: Limits) -> None:
        self.path = path
        self._password = password
        self._limits = limits
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._stopped_by = ""
        self._finished = threading.Event()
        self._last_sign = 0.0

    def cancel(self) -> None:
        """Stop reading: the process is killed, the job ends with ``documents.cancelled``."""
        self._stop("documents.cancelled")

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the job has ended and its last callback has returned."""
        return self._finished.wait(timeout_s)

    def run(self, progress: Callable[[int, int], None] | None = None) -> Document:
        """Read the file on the calling thread.

        Raises:
            UserError: Whatever kept it from being read.
        """
        child = self._spawn()
        watch = threading.Thread(target=self._watch, args=(child.process,), name="document-watch")
        watch.start()
        try:
            reply = self._converse(child, progress)
        finally:
            child.close(_END_S)
            watch.join()
        return self._outcome(reply, child.process.returncode, "\n".join(child.log_tail()))

    def finish(self) -> None:
        """Mark the job as ended: nothing more will be called."""
        self._finished.set()

    def _spawn(self) -> ChildProcess:
        # With the first document: it brings all that processes need.
        from engine.child_process import ChildProcess

        # -P: a module lying in the current folder must not be imported in place of a library.
        command = [sys.executable, "-P", "-X", "utf8", "-m", "engine.documents"]
        with self._lock:
            if self._stopped_by:
                raise self._problem(self._stopped_by)
            try:
                self._child = ChildProcess(command, name="document")
            except OSError as error:
                raise UserError(
                    "documents.not_started", name=self.path.name, reason=str(error)
                ) from error
            self._last_sign = time.monotonic()
            return self._child

    def _converse(
        self, child: ChildProcess, progress: Callable[[int, int], None] | None
    ) -> Done | Failed | None:
        """Send the request and take replies until the last one; None when the process died."""
        path = os.fsencode(self.path)
        request = ReadRequest(path=path, password=self._password, limits=self._limits)
        # Why it died or was killed, its exit status and its log tell.
        with suppress(OSError):
            child.send(packed(request))
        for reply in child.answers(REPLY_DECODER.decode):
            self._last_sign = time.monotonic()
            if not isinstance(reply, Progress):
                return reply
            if progress is not None:
                progress(reply.done, reply.total)
        return None

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a process that shows no progress, takes too long or too much memory."""
        import psutil

        started = time.monotonic()
        with suppress(psutil.Error):
            memory = psutil.Process(process.pid)
            while process.poll() is None:
                now = time.monotonic()
                late = now - started > self._limits.total_s
                if late or now - self._last_sign > self._limits.stall_s:
                    self._stop("documents.stalled")
                elif memory.memory_info().rss > self._limits.memory_bytes:
                    self._stop("documents.too_much_memory")
                time.sleep(_WATCH_INTERVAL_S)

    def _stop(self, code: str) -> None:
        with self._lock:
            self._stopped_by = self._stopped_by or code
            if self._child is not None:
                self._child.process.kill()

    def _outcome(self, reply: Done | Failed | None, status: int, stderr: str) -> Document:
        if isinstance(reply, Done):
            return reply.document
        if isinstance(reply, Failed):
            raise UserError.of(reply.problem)
        if self._stopped_by:
            raise self._problem(self._stopped_by)
        if status == EXIT_OUT_OF_MEMORY or "MemoryError" in stderr:
            raise self._problem("documents.too_much_memory", stderr)
        detail = f"exit status {status}\n{stderr}"
        if sent := _FROM_OUTSIDE.get(-status):
            # Nobody else than the system, or a person, sends these: the file is not to blame.
            raise UserError("documents.killed", name=self.path.name, signal=sent, detail=detail)
        raise self._problem("documents.crashed", detail)

    def _problem(self, code: str, detail: str = "") -> UserError:
        seconds = self._limits.stall_s
        return UserError(code, name=self.path.name, seconds=seconds, detail=detail)


class DocumentReader:
    """Reads files, a few at a time, each in its own process. Thread-safe; close when done.

    Attributes:
        passwords: What opened encrypted files in the background, by path, so that nobody is asked
            twice. In memory alone, and gone with the program.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.passwords: dict[str, str] = {}
        self._limits = limits or Limits()
        self._slots = threading.Semaphore(_AT_ONCE)
        self._jobs: set[ReadingJob] = set()
        self._lock = threading.Lock()
        self._closed = False

    def read(
        self,
        path: str | Path,
        *,
        password: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Document:
        """Read a file and wait for it. Interrupting the wait (Ctrl-C) stops the process.

        Raises:
            UserError: Whatever kept it from being read.
        """
        return self._job(path, password).run(progress)

    def start(
        self,
        path: str | Path,
        *,
        on_done: Callable[[Document], None],
        on_failed: Callable[[Problem], None],
        on_progress: Callable[[int, int], None] | None = None,
        password: str | None = None,
    ) -> ReadingJob:
        """Read a file in the background.

        One of `on_done` and `on_failed` is called, once; a `UserError` that `on_done` raises goes
        to `on_failed`. All callbacks arrive on the job's own thread and must not block.
        """
        job = self._job(path, password)
        with self._lock:
            if self._closed:
                job.cancel()
            self._jobs.add(job)

        def work() -> None:
            try:
                with self._slots:
                    document = job.run(on_progress)
                if password is not None:
                    self.passwords[document.path] = password
                on_done(document)
            except UserError as error:
                on_failed(error.problem)
            finally:
                with self._lock:
                    self._jobs.discard(job)
                job.finish()

        threading.Thread(target=work, name=f"document-{job.path.name}", daemon=True).start()
        return job

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel what is being read and wait for it to end. Callbacks still arrive until then."""
        with self._lock:
            self._closed = True
            jobs = tuple(self._jobs)
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.wait(timeout_s)

    def _job(self, path: str | Path, password: str | None) -> ReadingJob:
        return ReadingJob(Path(path).expanduser().absolute(), password, self._limits)
