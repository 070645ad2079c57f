"""Cancels of a real worker: in mid-decode, of what still waits, and right between two requests."""

from __future__ import annotations

import queue
import random
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest

from engine.llama.abort import AbortFlag
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.cancelling import Cancelling
from engine.worker.client import WorkerClient
from engine.worker.death import WorkerExit
from engine.worker.protocol import (
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    PrefillProgress,
    Prompt,
    PromptDocument,
    Turn,
    new_request_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.worker.protocol import Event

_LONG = "The lease runs for ten years and may be ended by notice. " * 280
_ROUNDS = 30
E = TypeVar("E")


class Worker:
    """A real worker with the demo model, and its events as they come."""

    def __init__(self, model: Path) -> None:
        self.events: queue.Queue[Event | WorkerExit] = queue.Queue()
        self.client = WorkerClient(on_event=self.events.put, on_exit=self.events.put)
        self.client.start()
        self.settings = EngineSettings(
            model_path=str(model),
            n_ctx=4096,
            # Small, so that it is soon in the middle of a prompt.
            n_batch=256,
            n_ubatch=256,
            n_threads=1,
            n_threads_batch=1,
            devices=("cpu",),
        )
        self.next(Hello)

    def load(self) -> int:
        request_id = new_request_id()
        self.client.send(Load(request_id=request_id, settings=self.settings))
        return request_id

    def ask(self, text: str, *, max_tokens: int = 1, document: str = "") -> int:
        request_id = new_request_id()
        documents = (PromptDocument(id="d", name="d", text=document),) if document else ()
        turns = (Turn(role="user", text=text),)
        prompt = Prompt(chat_id=str(request_id), turns=turns, documents=documents)
        calm = GenerationSettings(
            temperature=0.0, max_tokens=max_tokens, logit_bias=("2=-inf", "0=-inf")
        )
        self.client.send(Generate(request_id=request_id, prompt=prompt, generation=calm))
        return request_id

    def next(self, kind: type[E], timeout_s: float = 120.0) -> E:
        """The next event of a kind; a failure is none unless asked for."""
        until = time.monotonic() + timeout_s
        while True:
            event = self.events.get(timeout=until - time.monotonic())
            if isinstance(event, kind):
                return event
            assert not isinstance(event, Failed | WorkerExit), event

    def finished(self, request_id: int) -> Finished:
        event = self.next(Finished)
        assert event.request_id == request_id
        return event

    def read_some(self) -> int:
        """Have it read a long prompt, and return in the middle of that."""
        request_id = self.ask("Sum up.", document=_LONG)
        while self.next(PrefillProgress).done == 0:
            pass
        return request_id

    def cpu_s(self) -> float:
        """Processor time that it took so far."""
        times = psutil.Process(self.client.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        self.client.stop()
        assert self.client.join(60)


@pytest.fixture(scope="module")
def worker(demo_model: Path) -> Iterator[Worker]:
    worker = Worker(demo_model)
    worker.load()
    worker.next(Loaded)
    yield worker
    worker.stop()


@pytest.mark.model
def test_a_cancel_stops_the_reading_of_a_long_prompt(worker: Worker) -> None:
    asked = worker.read_some()
    began_s = worker.cpu_s()
    worker.client.cancel(asked)
    finished = worker.finished(asked)
    # Of its own processor time, so that other work on the machine does not decide. 0.02 s on an
    # idle machine; to read the rest would take ten.
    assert worker.cpu_s() - began_s < 2.0
    assert finished.stop_reason == "cancelled"
    assert 0 < finished.context_used < finished.usage.prompt_tokens
    assert worker.finished(worker.ask("Hello")).stop_reason == "max_tokens"


@pytest.mark.model
def test_a_request_that_waits_is_cancelled_alone(worker: Worker) -> None:
    first, second, third = (worker.ask("Hello", max_tokens=8) for _ in range(3))
    worker.client.cancel(second)
    assert worker.finished(first).stop_reason == "max_tokens"
    cancelled = worker.finished(second)
    assert (cancelled.stop_reason, cancelled.usage.completion_tokens) == ("cancelled", 0)
    assert worker.finished(third).stop_reason == "max_tokens"


@pytest.mark.model
def test_a_cancel_between_two_requests_stops_neither_the_wrong_one_nor_none(
    worker: Worker,
) -> None:
    drawn = random.Random(20_26)
    takes_s = min(_seconds_for(worker) for _ in range(3))
    for number in range(_ROUNDS):
        first, second = worker.ask("Hello"), worker.ask("Hello", max_tokens=3 + number % 2 * 3000)
        time.sleep(drawn.uniform(0.0, 1.5 * takes_s))
        if number % 2:
            worker.client.cancel(second)
            assert worker.finished(first).stop_reason == "max_tokens"
            assert worker.finished(second).stop_reason == "cancelled"
        else:
            worker.client.cancel(first)
            assert worker.finished(first).stop_reason in ("max_tokens", "cancelled")
            assert worker.finished(second).stop_reason == "max_tokens"


def _seconds_for(worker: Worker) -> float:
    """How long a question takes whose reply is one token."""
    began = time.monotonic()
    worker.finished(worker.ask("Hello"))
    return time.monotonic() - began


@pytest.mark.model
def test_a_cancelled_load_is_followed_by_one_that_works_until_shutdown(demo_model: Path) -> None:
    worker = Worker(demo_model)
    first, second = worker.load(), worker.load()
    worker.client.cancel(first)
    failed = worker.next(Failed)
    assert (failed.request_id, failed.problem.code) == (first, "worker.cancelled")
    assert worker.next(Loaded).request_id == second
    # In the middle of a long prompt.
    worker.read_some()
    worker.client.stop()
    ended = worker.next(WorkerExit)
    # By itself, before the client would have ended it.
    assert (ended.status, ended.asked) == (0, True)


def test_each_cancel_acts_on_its_request_whenever_it_comes() -> None:
    flag, drawn = AbortFlag(), random.Random(5)
    cancelling, current = Cancelling(flag), 0

    def cancel_the_odd() -> None:
        for request_id in range(1, 2000, 2):
            while current < request_id - 1:
                time.sleep(0)
            for _ in range(drawn.randrange(40)):
                time.sleep(0)
            # The one that is over as well, as of late.
            cancelling.cancel(request_id - 3)
            cancelling.cancel(request_id)

    canceller = threading.Thread(target=cancel_the_odd, daemon=True)
    canceller.start()
    for current in range(2000):
        until = time.monotonic() + 60.0
        with cancelling.working_on(current):
            if current % 2:
                while not flag.is_set():
                    assert time.monotonic() < until, f"the cancel of {current} was lost"
                    time.sleep(0)
            else:
                for _ in range(10):
                    time.sleep(0)
                    assert not flag.is_set(), f"{current} was never cancelled"
        assert not flag.is_set()
    canceller.join()


def test_after_all_were_cancelled_none_begins() -> None:
    flag = AbortFlag()
    cancelling = Cancelling(flag)
    with cancelling.working_on(1):
        assert not flag.is_set()
        cancelling.cancel_all()
        assert flag.is_set()
    with cancelling.working_on(2):
        assert flag.is_set()
