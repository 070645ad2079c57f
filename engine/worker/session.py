"""A worker for code that may wait: the command line, tests, benchmarks."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from engine.errors import Problem, UserError
from engine.worker.client import SHUTDOWN_S, WorkerClient
from engine.worker.death import WorkerExit, explain
from engine.worker.protocol import (
    PROTOCOL_VERSION,
    Aborting,
    Bench,
    BenchResult,
    Count,
    Counted,
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    Measure,
    Measured,
    new_request_id,
)
from engine.worker.silence import SilenceWatch, is_deaf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType, TracebackType

    from engine.settings import EngineSettings, GenerationSettings
    from engine.worker.protocol import Event, Prompt

START_TIMEOUT_S = 60
_LOOK_S = 0.5
# How long a stop may go unheard before it is said what else there is to do.
_STOPPING_S = 2.0
E = TypeVar("E", bound="Event")


class BlockingWorker:
    """A started worker as a context manager. Not for a GUI thread.

    Ctrl-C stops the request in progress, which still answers. One that does not, because the engine
    has been silent for long or does not hear it, ends with a `KeyboardInterrupt`.

    Args:
        on_log: Every line of the worker's log.
        on_wait: Why there is nothing to show for long.
        env: Additions to the environment.
        command: What to start; the real worker by default.

    Raises:
        UserError: From every method: the request failed, or the worker died.
    """

    def __init__(
        self,
        *,
        on_log: Callable[[str], None] = lambda _line: None,
        on_wait: Callable[[Problem], None] = lambda _problem: None,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self._inbox: queue.Queue[Event | WorkerExit] = queue.Queue()
        self.client = WorkerClient(
            on_event=self._inbox.put,
            on_exit=self._inbox.put,
            on_log=on_log,
            env=env,
            command=command,
        )
        self.hello: Hello
        self._on_wait = on_wait
        self._watch = SilenceWatch(self.client)
        self._cancelled_s: float | None = None
        self._told_stopping = False

    def __enter__(self) -> BlockingWorker:
        self.client.phase = "while starting"
        try:
            self.client.start()
        except OSError as error:
            raise UserError("worker.start_failed", reason=str(error)) from error
        hello = self._next(START_TIMEOUT_S)
        while isinstance(hello, Aborting):
            hello = self._next(START_TIMEOUT_S)
        if not isinstance(hello, Hello) or hello.protocol_version != PROTOCOL_VERSION:
            self.client.stop(grace_s=0)
            theirs = hello.protocol_version if isinstance(hello, Hello) else "?"
            raise UserError("worker.other_version", theirs=theirs, ours=PROTOCOL_VERSION)
        self.hello = hello
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        # Who interrupts does not want to wait for an orderly end.
        self.client.stop(grace_s=0 if kind is KeyboardInterrupt else SHUTDOWN_S)
        self.client.join(15)

    def load(
        self,
        settings: EngineSettings,
        on_event: Callable[[Event], None] = lambda _event: None,
        *,
        shares: tuple[int, ...] = (),
    ) -> Loaded:
        """Load a model; progress goes to `on_event`. `shares` are those of its plan."""
        self.client.phase = "while loading the model"
        # What is held is let go of first.
        self.client.devices = (*self.client.devices, *settings.all_devices)
        command = Load(request_id=new_request_id(), settings=settings, shares=shares)
        loaded = self._last(command, Loaded, on_event)
        self.client.devices = settings.all_devices
        return loaded

    def generate(
        self,
        prompt: Prompt,
        generation: GenerationSettings,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> Finished:
        """Write a reply; text and progress go to `on_event`."""
        self.client.phase = "while answering"
        command = Generate(request_id=new_request_id(), prompt=prompt, generation=generation)
        return self._last(command, Finished, on_event)

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """Count a request segment by segment."""
        command = Measure(request_id=new_request_id(), prompt=prompt, generation=generation)
        return self._last(command, Measured)

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Tokens of each text."""
        return self._last(Count(request_id=new_request_id(), texts=tuple(texts)), Counted).counts

    def bench(self, command: Bench) -> BenchResult:
        """Time prefill and decode."""
        self.client.phase = "while measuring"
        return self._last(command, BenchResult)

    def _last(
        self,
        command: Load | Generate | Measure | Count | Bench,
        wanted: type[E],
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> E:
        self._cancelled_s, self._told_stopping = None, False
        with _interrupt_calls(lambda: self._cancel(command.request_id)):
            for event in self._events(command):
                if isinstance(event, wanted):
                    return event
                on_event(event)
        raise AssertionError("the stream of events ends with an answer or an error")

    def _events(self, command: Load | Generate | Measure | Count | Bench) -> Iterator[Event]:
        self.client.send(command)
        self.client.expect(command.request_id)
        while True:
            event = self._next_of_request()
            if getattr(event, "request_id", None) != command.request_id:
                continue
            if isinstance(event, Failed):
                raise UserError.of(event.problem)
            yield event

    def _cancel(self, request_id: int) -> None:
        if self._watch.told is not None:
            # It would not be heard.
            raise KeyboardInterrupt
        self._cancelled_s = time.monotonic()
        self.client.cancel(request_id)

    def _next_of_request(self) -> Event:
        while True:
            try:
                return self._event_of(self._inbox.get(timeout=_LOOK_S))
            except queue.Empty:
                self._look()

    def _look(self) -> None:
        """Say what is waited for, where that takes long."""
        if self._cancelled_s is None:
            problem = self._watch.look()
            if problem is not None:
                self._on_wait(problem)
        elif is_deaf(self.client, self._cancelled_s):
            raise KeyboardInterrupt
        elif not self._told_stopping and is_deaf(self.client, self._cancelled_s, _STOPPING_S):
            self._told_stopping = True
            self._on_wait(Problem(code="worker.stopping", params={"phase": self.client.phase}))

    def _next(self, timeout_s: float) -> Event:
        try:
            return self._event_of(self._inbox.get(timeout=timeout_s))
        except queue.Empty:
            self.client.stop(cause="worker.start_timeout", grace_s=0)
            raise UserError("worker.start_timeout", seconds=timeout_s) from None

    def _event_of(self, item: Event | WorkerExit) -> Event:
        if isinstance(item, WorkerExit):
            raise UserError.of(explain(item) or Problem(code="worker.gone"))
        return item


@contextlib.contextmanager
def _interrupt_calls(cancel: Callable[[], None]) -> Iterator[None]:
    """Have the first Ctrl-C stop the request; a second one ends everything at once.

    A `KeyboardInterrupt` would come out of any line, also out of the printing of an event, and what
    was written so far, which still arrives with the reason "cancelled", would be lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
