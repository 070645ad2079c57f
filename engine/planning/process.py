"""The planner process: answers questions about settings, the newest one first.

Two threads: the reader takes questions off stdin at once, so that a newer one stops the older
between two dry runs; the main thread is the only one in native code. It leaves when idle, because
it holds a CUDA context on each GPU.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

from engine.child_main import owner_messages, run_main
from engine.errors import Problem, UserError
from engine.framing import write_frame
from engine.llama.library import set_abort_hook
from engine.packing import packed
from engine.planning.economics import economics
from engine.planning.facts import Scene
from engine.planning.fit import fitted
from engine.planning.planner import Planner
from engine.planning.protocol import (
    Aborting,
    Answers,
    Ask,
    Compare,
    Compared,
    Failed,
    Fit,
    Fitted,
    Open,
    Opened,
    Planned,
    Questions,
    Ready,
    decode_question,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE_S = 60.0


class PlannerProcess:
    """Owns the planner and its two threads; `run` is the main thread's loop."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, *, idle_s: float = IDLE_S) -> None:
        self._source = source
        self._sink = sink
        self._idle_s = idle_s
        self._questions: queue.Queue[Questions] = queue.Queue()
        self._newest = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        """Answer until nobody asks for a while."""
        planner = Planner()
        set_abort_hook(lambda text: self._emit(Aborting(text=text, request_id=self._newest)))
        self._emit(Ready(pid=os.getpid()))
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while True:
            try:
                question = self._questions.get(timeout=self._idle_s)
            except queue.Empty:
                break
            if question.request_id == self._newest:
                self._answer(planner, question)
        planner.close()

    def _read(self) -> None:
        for question in owner_messages(self._source, decode_question):
            self._newest = question.request_id
            self._questions.put(question)

    def _answer(self, planner: Planner, question: Questions) -> None:
        try:
            for answer in _answers(planner, question):
                if self._newest != question.request_id:
                    return
                self._emit(answer)
        except UserError as error:
            self._emit(Failed(request_id=question.request_id, problem=error.problem))
        except Exception as error:  # noqa: BLE001  a bug in one answer must not end the planner
            sys.excepthook(*sys.exc_info())
            problem = Problem(code="worker.bug", detail=repr(error))
            self._emit(Failed(request_id=question.request_id, problem=problem))

    def _emit(self, answer: Answers) -> None:
        try:
            with self._lock:
                write_frame(self._sink, packed(answer))
        except (OSError, ValueError):
            os._exit(0)


def _answers(planner: Planner, question: Questions) -> Iterator[Answers]:
    identity, settings = question.request_id, question.settings
    match question:
        case Open():
            yield Opened(
                request_id=identity,
                model=planner.model(settings),
                build=planner.build(),
                devices=planner.all_devices(),
                chosen=planner.chosen(settings, Scene()),
            )
        case Ask(scene=scene, brief=brief):
            for plan in planner.plans(settings, scene, brief=brief):
                yield Planned(request_id=identity, plan=plan)
        case Fit(goal=goal, scene=scene):
            best = fitted(planner, settings, scene, goal)
            yield Fitted(request_id=identity, settings=best.settings, plan=best)
        case Compare(scene=scene):
            chart = economics(planner, settings, scene, question.kv_types, question.contexts)
            yield Compared(request_id=identity, economics=chart)


def main() -> None:
    """Entry point of ``python -m engine.planning [IDLE_S]``."""
    idle_s = float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_S
    run_main(lambda source, sink: PlannerProcess(source, sink, idle_s=idle_s).run())
