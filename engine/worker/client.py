"""The client's end of a worker process: start it, talk to it, notice its end, stop it.

No method blocks on the worker. Commands go out through a thread of their own, because a pipe to a
hung worker fills up; events and the end of the process are reported on the reader's thread.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING

from engine.child_process import ChildProcess
from engine.remote.lost import lost_node
from engine.worker.codec import Sender, decode_event
from engine.worker.death import WorkerExit
from engine.worker.protocol import (
    Aborting,
    Bench,
    Cancel,
    Eject,
    Generate,
    Load,
    Message,
    Shutdown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.worker.protocol import Command, Event

# The stop ladder: how long each step is given before the next one.
SHUTDOWN_S = 3.0
TERMINATE_S = 2.0
KILL_S = 5.0


class WorkerClient:
    """One worker process. Callbacks run on the client's threads, never on the caller's.

    Args:
        on_event: Every event, in order.
        on_exit: Once, after the last event.
        on_log: Every line of the worker's stderr.
        command: What to start; the real worker by default.
        env: Additions to the environment.
    """

    def __init__(
        self,
        *,
        on_event: Callable[[Event], None],
        on_exit: Callable[[WorkerExit], None],
        on_log: Callable[[str], None] = lambda _line: None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_exit = on_exit
        self._on_log = on_log
        self._command = list(command or (sys.executable, "-P", "-m", "engine.worker"))
        self._env = dict(env or {})
        self._child: ChildProcess | None = None
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._last_words = ""
        self._cause = ""
        self._asked = False
        self._ended = threading.Event()
        self._stop_lock = threading.Lock()
        self._awaited = 0
        self.last_sign_s = time.monotonic()
        """When something was last heard of the request in progress, or it was made."""
        self.phase = ""
        """What the worker is doing, in words that end a sentence; kept by the owner."""
        self.devices: Sequence[str] = ()
        """Devices of the model, as in the settings; kept by the owner."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.process.pid if self._child and not self._ended.is_set() else None

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of the request in progress."""
        return time.monotonic() - self.last_sign_s

    def start(self) -> None:
        """Start the process; `Hello` comes as the first event.

        Raises:
            OSError: The program cannot be started.
        """
        self._child = ChildProcess(self._command, name="worker", env=self._env, on_log=self._on_log)
        for target, name in ((self._write, "worker-writer"), (self._read, "worker-reader")):
            threading.Thread(target=target, args=(self._child,), name=name, daemon=True).start()

    def send(self, command: Command) -> None:
        """Queue a command. To a worker that has ended it goes nowhere; `on_exit` has said so."""
        if isinstance(command, Load | Eject | Generate | Bench):
            # The others are answered by another thread there, also while this one hangs.
            self.expect(command.request_id)
        self._outbox.put(command)

    def expect(self, request_id: int) -> None:
        """Count as silence, from now on, what is not of this request."""
        self._awaited, self.last_sign_s = request_id, time.monotonic()

    def cancel(self, request_id: int) -> None:
        """Ask for a request to stop; its `Finished` or `Failed` still comes."""
        self.send(Cancel(request_id=request_id))

    def stop(self, *, cause: str = "", grace_s: float = SHUTDOWN_S) -> None:
        """Start the stop ladder and return at once.

        Args:
            cause: Sentence code when this is not the user's wish, e.g. ``"worker.hung"``.
            grace_s: Seconds for an orderly end; 0 goes straight to terminate.
        """
        if self._child is None or self._ended.is_set():
            return
        self._cause = self._cause or cause
        self._asked = self._asked or not cause
        threading.Thread(
            target=self._descend, args=(self._child, grace_s), name="worker-stop", daemon=True
        ).start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; whether it has come."""
        return self._child is None or self._ended.wait(timeout_s)

    # ---- threads

    def _write(self, child: ChildProcess) -> None:
        sender = Sender(child.stdin)
        while (message := self._outbox.get()) is not None:
            try:
                sender.send(message)
            except (OSError, ValueError):
                break
        with contextlib.suppress(OSError):
            child.stdin.close()

    def _read(self, child: ChildProcess) -> None:
        for event in child.answers(decode_event):
            if getattr(event, "request_id", self._awaited) == self._awaited:
                self.last_sign_s = time.monotonic()
            if isinstance(event, Aborting):
                self._last_words = event.text
            self._on_event(event)
        if child.garbage:
            self._cause = self._cause or "worker.garbled"
        self._finish(child, child.process.wait())

    def _finish(self, child: ChildProcess, status: int) -> None:
        self._outbox.put(None)
        tail = child.log_tail()
        self._ended.set()
        said = "\n".join([*tail, self._last_words])
        self._on_exit(
            WorkerExit(
                lost_node=None if self._asked else lost_node(said, self.devices),
                status=status,
                phase=self.phase,
                asked=self._asked and not self._cause,
                last_words=self._last_words,
                log_tail=tail,
                cause=self._cause,
            )
        )

    def _descend(self, child: ChildProcess, grace_s: float) -> None:
        with self._stop_lock:
            if grace_s > 0:
                self.send(Shutdown())
                if self._ended.wait(grace_s):
                    return
            child.process.terminate()
            if self._ended.wait(TERMINATE_S):
                return
            child.process.kill()
            self._ended.wait(KILL_S)
