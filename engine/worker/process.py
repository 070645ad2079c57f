"""The worker process: reads commands, drives one `Engine`, writes events.

Three threads. The reader takes commands off stdin at once, so that a cancel or the end of the
stream acts in the middle of a decode. The main thread loads, reads and writes: it is the only one
that touches the context. A side thread answers `Measure` and `Count` meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

from engine.child_main import owner_messages, run_main
from engine.errors import Problem, UserError
from engine.llama.engine import Cancelled, Engine
from engine.llama.library import set_abort_hook
from engine.worker.cancelling import Cancelling
from engine.worker.codec import Sender, decode_command
from engine.worker.protocol import (
    PROTOCOL_VERSION,
    Aborting,
    Bench,
    Cancel,
    Command,
    Count,
    Counted,
    Eject,
    Ejected,
    Event,
    Failed,
    Forget,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadPhase,
    LoadProgress,
    Measure,
    Shutdown,
)
from engine.worker.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

MainJob = Load | Eject | Generate | Bench | Forget | Shutdown
SideJob = Measure | Count


class Worker:
    """Owns the engine and the three threads; `run` is the main thread's loop."""

    def __init__(self, source: BinaryIO, sender: Sender) -> None:
        self._source = source
        self._sender = sender
        self._engine = Engine()
        self._main_jobs: queue.Queue[MainJob] = queue.Queue()
        self._side_jobs: queue.Queue[SideJob] = queue.Queue()
        self._cancelling = Cancelling(self._engine.abort)
        self._latest_measure = 0
        # Held while the model is replaced, so that a side job never meets a freed one.
        self._model_lock = threading.Lock()

    def run(self) -> None:
        """Greet, then work until `Shutdown`."""
        set_abort_hook(lambda text: self._emit(Aborting(text=text)))
        self._emit(
            Hello(
                protocol_version=PROTOCOL_VERSION,
                pid=os.getpid(),
                build=self._engine.build_info(),
                devices=self._engine.devices(),
            )
        )
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._answer, name="side", daemon=True).start()
        while True:
            job = self._main_jobs.get()
            if isinstance(job, Shutdown):
                break
            self._guarded(job)
        with self._model_lock:
            self._engine.close()

    # ---- reader thread

    def _read(self) -> None:
        for command in owner_messages(self._source, decode_command):
            self._sort(command)

    def _sort(self, command: Command) -> None:
        match command:
            case Cancel(request_id=request_id):
                self._cancelling.cancel(request_id)
            case Measure() | Count():
                if isinstance(command, Measure):
                    self._latest_measure = command.request_id
                self._side_jobs.put(command)
            case Shutdown():
                self._cancelling.cancel_all()
                self._main_jobs.put(command)
            case _:
                self._main_jobs.put(command)

    # ---- side thread

    def _answer(self) -> None:
        while True:
            job = self._side_jobs.get()
            with self._model_lock, self._reporting(job.request_id):
                self._emit(self._side_answer(job))

    def _side_answer(self, job: SideJob) -> Event:
        match job:
            case Count():
                return Counted(request_id=job.request_id, counts=self._engine.count(job.texts))
            case Measure():
                if job.request_id < self._latest_measure:
                    raise UserError("worker.superseded")
                return self._engine.measure(job.request_id, job.prompt, job.generation)

    # ---- main thread

    def _guarded(self, job: MainJob) -> None:
        request_id = 0 if isinstance(job, Forget | Shutdown) else job.request_id
        with self._cancelling.working_on(request_id), self._reporting(request_id):
            self._do(job)

    def _do(self, job: MainJob) -> None:
        match job:
            case Load():
                self._load(job)
            case Eject():
                with self._model_lock:
                    self._engine.eject()
                self._emit(Ejected(request_id=job.request_id))
            case Generate():
                finished = self._engine.generate(
                    job.prompt, job.generation, emit=self._emit, request_id=job.request_id
                )
                self._emit(finished)
            case Bench():
                self._emit(self._engine.bench(job, emit=self._emit))
            case Forget():
                self._engine.forget(job.chat_id)

    def _load(self, job: Load) -> None:
        watch = Stopwatch()

        def progress(phase: LoadPhase, fraction: float, total_bytes: int) -> bool:
            if watch.due(0.05) or fraction >= 1.0:
                self._emit(
                    LoadProgress(
                        request_id=job.request_id,
                        phase=phase,
                        fraction=fraction,
                        total_bytes=total_bytes,
                        elapsed_s=watch.elapsed_s,
                    )
                )
            return not self._engine.abort.is_set()

        with self._model_lock:
            outcome = self._engine.load(job.settings, progress=progress, shares=job.shares)
        self._emit(
            Loaded(
                request_id=job.request_id,
                settings=outcome.settings,
                model=outcome.model,
                context=outcome.context,
                seconds=watch.elapsed_s,
                notices=outcome.notices,
            )
        )

    # ---- both

    @contextlib.contextmanager
    def _reporting(self, request_id: int) -> Iterator[None]:
        """Turn what goes wrong into a `Failed`; the worker lives on."""
        try:
            yield
        except Cancelled:
            self._fail(request_id, Problem(code="worker.cancelled"))
        except UserError as error:
            self._fail(request_id, error.problem)
        except MemoryError as error:
            self._fail(request_id, Problem(code="worker.out_of_memory", detail=str(error)))
        except Exception as error:  # noqa: BLE001  a bug in one request must not end the worker
            sys.excepthook(*sys.exc_info())
            self._fail(request_id, Problem(code="worker.bug", detail=repr(error)))

    def _fail(self, request_id: int, problem: Problem) -> None:
        kept = self._engine.has_model
        self._emit(Failed(request_id=request_id, problem=problem, model_kept=kept))

    def _emit(self, event: Event) -> None:
        try:
            self._sender.send(event)
        except (OSError, ValueError):
            os._exit(0)


def main() -> None:
    """Entry point of ``python -m engine.worker``."""
    run_main(lambda source, sink: Worker(source, Sender(sink)).run())
