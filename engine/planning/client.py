"""The app's end of the planner process: started on demand, restarted after a crash.

`send` returns at once; answers come to `on_answer` on the client's reader thread. A newer question
cancels the older, whose answers stop coming.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.child_process import ChildProcess, wait_or_kill
from engine.errors import Problem, UserError
from engine.packing import packed
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
    decode_answer,
)
from engine.planning.stuck import StuckWatch
from engine.remote.lost import lost_node, nodes_among
from engine.worker.death import WorkerExit, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.planning.economics_data import Economics
    from engine.planning.plan import Plan

A = TypeVar("A", bound="Answers")

_JOIN_S = 2.0
_ANSWER_S = 120.0
_STUCK = "planning.node_silent"


class PlannerClient:
    """A planner process and its threads. Owned by the app's controller, or by a command.

    Args:
        on_answer: Every answer to the newest question, on the reader's thread. A crash of the
            planner is a `Failed` with a sentence; one that cannot be started is one as well, on
            the thread that asks.
        idle_s: Seconds without a question after which the process leaves; None keeps its default.
    """

    def __init__(
        self,
        on_answer: Callable[[Answers], None],
        *,
        idle_s: float | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self._on_answer = on_answer
        plain = [sys.executable, "-P", "-m", "engine.planning"]
        self._command = list(command or plain) + ([] if idle_s is None else [str(idle_s)])
        self._ids = itertools.count(1)
        self._newest = 0
        self._asked_again = 0
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs; its VRAM is not the user's."""
        running = self._running
        return running.child.pid if running else None

    def send(self, question: Questions) -> int:
        """Ask, and return the request id that the answers carry. Starts the process if need be."""
        with self._lock:
            if self._closed:
                return 0
            identity = next(self._ids)
            question = msgspec.structs.replace(question, request_id=identity)
            self._newest = identity
            failed = None
            if self._running is None or not self._running.put(question):
                failed = self._start(question)
        if failed is not None:
            self._deliver(failed)
        return identity

    def close(self) -> None:
        """Stop the process; nothing is reported any more."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, None
        if running is not None:
            running.stop()

    def _start(self, question: Questions) -> Failed | None:
        """Start the process with a question; what to answer instead where that is impossible."""
        try:
            self._running = _Running(self._command, self._deliver, self._ended, question)
        except OSError as error:
            self._running = None
            problem = Problem(code="planning.not_started", params={"reason": str(error)})
            return Failed(request_id=question.request_id, problem=problem)
        return None

    def _deliver(self, answer: Answers) -> None:
        if answer.request_id == self._newest and not self._closed:
            self._on_answer(answer)

    def _ended(self, ended: _Running, exit_: WorkerExit) -> None:
        lost = ended.unanswered()
        node = _lost_node(exit_, lost, ended.silent) if lost is not None else None
        with self._lock:
            if self._running is ended:
                self._running = None
            if lost is None or self._closed:
                return
            if lost.request_id == self._newest and self._may_ask_again(lost, exit_, node):
                failed = self._start(lost)
            else:
                failed = Failed(request_id=lost.request_id, problem=node or _problem(exit_))
        if failed is not None:
            self._deliver(failed)

    def _may_ask_again(self, lost: Questions, exit_: WorkerExit, node: Problem | None) -> bool:
        """Whether the next process can answer what this one left unanswered."""
        if exit_.status == 0:
            # Left on its own at the moment the question came.
            return True
        if exit_.cause == _STUCK and node is None:
            # What it waited for was asked before, and is not of this question.
            return True
        if node is None or node.code != "node.failed" or self._asked_again == lost.request_id:
            return False
        # The node is there: it was started anew, and this process held on to its former life.
        self._asked_again = lost.request_id
        return True


class _Running:
    """One life of the process, with a thread that writes and one that reads."""

    def __init__(
        self,
        command: Sequence[str],
        deliver: Callable[[Answers], None],
        ended: Callable[[_Running, WorkerExit], None],
        question: Questions,
    ) -> None:
        """Start it. The first question is there before a process that dies at once can be missed.

        Raises:
            OSError: The program cannot be started.
        """
        self._deliver = deliver
        self._on_end = ended
        self._outbox: queue.SimpleQueue[Questions | None] = queue.SimpleQueue()
        self._outbox.put(question)
        self._asked: Questions | None = question
        self._over = False
        self._lock = threading.Lock()
        self._last_words = ""
        self.silent: tuple[str, ...] = ()
        """Nodes it waited for in vain, for which it was killed."""
        self.child = ChildProcess(command, name="planner")
        self._watch = StuckWatch(self._on_stuck)
        self._watch.ask(question.settings.all_devices)
        self._writer = threading.Thread(target=self._write, name="planner-write", daemon=True)
        self._reader = threading.Thread(target=self._read, name="planner-read", daemon=True)
        self._writer.start()
        self._reader.start()

    def put(self, question: Questions) -> bool:
        """Hand over a question; False when the process is over."""
        with self._lock:
            if self._over:
                return False
            self._asked = question
            self._outbox.put(question)
            self._watch.ask(question.settings.all_devices)
            return True

    def unanswered(self) -> Questions | None:
        """The newest question, if it still waits for its last answer."""
        return self._asked

    def stop(self) -> None:
        """End the process: it leaves when its stdin closes."""
        self._outbox.put(None)
        self._watch.close()
        wait_or_kill(self.child.process)
        # An answer's receiver may stop the client: it runs on the reader's own thread.
        if threading.current_thread() is not self._reader:
            self._reader.join(_JOIN_S)

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (question := self._outbox.get()) is not None:
                self.child.send(packed(question))
        with contextlib.suppress(OSError):
            self.child.stdin.close()

    def _read(self) -> None:
        for answer in self.child.answers(decode_answer):
            self._take(answer)
        self._outbox.put(None)
        self._watch.close()
        status = self.child.process.wait()
        with self._lock:
            self._over = True
        self._writer.join(_JOIN_S)
        self._on_end(
            self,
            WorkerExit(
                status=status,
                last_words=self._last_words,
                log_tail=self.child.log_tail(),
                cause=_STUCK if self.silent else "worker.garbled" if self.child.garbage else "",
            ),
        )

    def _take(self, answer: Answers) -> None:
        if isinstance(answer, Aborting):
            self._last_words = answer.text
        elif not isinstance(answer, Ready):
            with self._lock:
                if self._asked and answer.request_id == self._asked.request_id and is_last(answer):
                    self._asked = None
                self._watch.hear(is_idle=self._asked is None)
            self._deliver(answer)

    def _on_stuck(self, silent: tuple[str, ...]) -> None:
        self.silent = silent
        self.child.process.kill()


def is_last(answer: Answers) -> bool:
    """Whether no more answers follow to the same question."""
    return not isinstance(answer, Planned) or answer.plan.is_final


def _lost_node(exit_: WorkerExit, question: Questions, silent: tuple[str, ...]) -> Problem | None:
    """The sentence where a node took the planner with it; it may block for a second per node."""
    if missing := set(silent) & set(nodes_among(question.settings.all_devices)):
        return Problem(code=_STUCK, params={"address": ", ".join(sorted(missing))})
    if silent:
        return None
    said = "\n".join([*exit_.log_tail, exit_.last_words])
    problem = lost_node(said, question.settings.all_devices)
    if problem is None or problem.code != "node.lost":
        return problem
    return Problem(code="engine.rpc_unreachable", params=problem.params, detail=problem.detail)


def _problem(exit_: WorkerExit) -> Problem:
    """The planner's end as a sentence of its own: nothing was loaded, so nothing was lost."""
    problem = explain(exit_)
    if problem is None or problem.code == "worker.exited":
        return Problem(code="planning.died", params={"status": f"status {exit_.status}"})
    if "reason" in problem.params:
        reason = {"reason": problem.params["reason"]}
        return Problem(code="planning.crashed", params=reason, detail=problem.detail)
    if problem.code == "worker.killed":
        return Problem(code="planning.killed", detail=problem.detail)
    if problem.code == "worker.garbled":
        status = "its answer could not be understood"
    else:
        status = str(problem.params.get("signal", problem.message))
    return Problem(code="planning.died", params={"status": status}, detail=problem.detail)


class BlockingPlanner:
    """The same for a command, which has nothing to do meanwhile.

    Use it as a context manager. Every method raises `UserError` where there is no answer.
    """

    def __init__(self, *, timeout_s: float = _ANSWER_S) -> None:
        self._timeout_s = timeout_s
        self._answers: queue.Queue[Answers] = queue.Queue()
        self._client = PlannerClient(self._answers.put)

    def __enter__(self) -> BlockingPlanner:
        """Itself; the process starts with the first question."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop the process."""
        self._client.close()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._client.pid

    def open(self, question: Open) -> Opened:
        """The facts of a model, the build and the devices."""
        return self._asked(question, Opened)

    def plan(self, question: Ask) -> Plan:
        """The full plan."""
        return self._asked(question, Planned).plan

    def fit(self, question: Fit) -> Fitted:
        """The best settings for a goal."""
        return self._asked(question, Fitted)

    def compare(self, question: Compare) -> Economics:
        """The chart's data."""
        return self._asked(question, Compared).economics

    def _asked(self, question: Questions, kind: type[A]) -> A:
        identity = self._client.send(question)
        while True:
            try:
                answer = self._answers.get(timeout=self._timeout_s)
            except queue.Empty:
                raise UserError("planning.timeout", seconds=int(self._timeout_s)) from None
            if answer.request_id != identity or not is_last(answer):
                continue
            if isinstance(answer, Failed):
                raise UserError.of(answer.problem)
            if isinstance(answer, kind):
                return answer
