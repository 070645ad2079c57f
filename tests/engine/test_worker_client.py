"""The client against a worker that goes wrong on cue, in every way it can."""

from __future__ import annotations

import queue
import sys
import time
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.client import WorkerClient
from engine.worker.death import WorkerExit, explain
from engine.worker.protocol import Delta, Hello, Load, Loaded, Prompt, Turn, new_request_id
from engine.worker.session import BlockingWorker

SCRIPT = Path(__file__).parents[1] / "support" / "faulty_worker.py"
PROMPT = Prompt(chat_id="c", turns=(Turn(role="user", text="count"),))


def faulty(fault: str, moment: str = "") -> list[str]:
    return [sys.executable, "-P", str(SCRIPT), fault, moment]


def answered(fault: str, moment: str) -> str:
    """Load and ask; the text that came."""
    text = ""

    def note(event: object) -> None:
        nonlocal text
        if isinstance(event, Delta):
            text += event.text

    with BlockingWorker(command=faulty(fault, moment)) as worker:
        worker.load(EngineSettings(model_path="m"))
        worker.generate(PROMPT, GenerationSettings(), note)
    return text


def test_a_healthy_worker_answers() -> None:
    assert answered("none", "") == "one two three four five six seven eight nine ten"


def test_a_question_that_is_no_utf_8_is_answered() -> None:
    with BlockingWorker(command=faulty("none")) as worker:
        worker.load(EngineSettings(model_path="m"))
        prompt = Prompt(chat_id="c", turns=(Turn(role="user", text="caf\udce9"),))
        assert worker.generate(prompt, GenerationSettings()).stop_reason == "end"


@pytest.mark.parametrize("moment", ["start", "load", "prefill", "decode"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("kill", "worker.killed"),
        ("segfault", "worker.crashed"),
        ("abort", "worker.aborted"),
        ("oom", "worker.out_of_memory"),
        ("exit", "worker.exited"),
        ("garbage", "worker.garbled"),
    ],
)
def test_each_death_has_its_sentence(fault: str, code: str, moment: str) -> None:
    with pytest.raises(UserError) as caught:
        answered(fault, moment)
    assert caught.value.code == code
    assert "[" not in caught.value.message, "a parameter of the sentence is missing"
    assert caught.value.fix


def test_the_assert_is_told_without_the_builders_folder() -> None:
    with pytest.raises(UserError) as caught:
        answered("abort", "decode")
    assert "GGML_ASSERT(n > 0) failed (ggml.c:42)" in caught.value.message
    assert "/build" not in caught.value.message


def test_a_failed_load_leaves_the_worker_alive() -> None:
    with BlockingWorker(command=faulty("load_fails")) as worker:
        with pytest.raises(UserError) as caught:
            worker.load(EngineSettings(model_path="m"))
        assert caught.value.code == "models.not_found"
        assert worker.count(["a b c"]) == (3,)


def test_another_protocol_version_is_refused() -> None:
    with pytest.raises(UserError) as caught, BlockingWorker(command=faulty("other_version")):
        pass
    assert caught.value.code == "worker.other_version"


class Recorder:
    """Events of a bare client, in a queue."""

    def __init__(self, command: list[str]) -> None:
        self.events: queue.Queue[object] = queue.Queue()
        self.client = WorkerClient(
            on_event=self.events.put, on_exit=self.events.put, command=command
        )
        self.client.start()

    def next(self, kind: type, timeout_s: float = 120.0) -> object:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            event = self.events.get(timeout=timeout_s)
            if isinstance(event, kind):
                return event
        raise AssertionError(f"no {kind.__name__} within {timeout_s} s")


def test_stop_is_an_asked_for_end() -> None:
    recorder = Recorder(faulty("none"))
    recorder.next(Hello)
    recorder.client.stop()
    ended = recorder.next(WorkerExit)
    assert isinstance(ended, WorkerExit)
    assert ended.asked
    assert explain(ended) is None


def test_the_stop_ladder_ends_a_worker_that_ignores_it() -> None:
    recorder = Recorder(faulty("ignores_shutdown"))
    recorder.next(Hello)
    started = time.monotonic()
    recorder.client.stop()
    ended = recorder.next(WorkerExit)
    assert isinstance(ended, WorkerExit)
    assert ended.status == -9
    assert time.monotonic() - started < 30


def test_a_hung_worker_can_be_stopped_with_a_cause() -> None:
    recorder = Recorder(faulty("hang", "load"))
    recorder.next(Hello)
    recorder.client.send(Load(request_id=new_request_id(), settings=EngineSettings(model_path="m")))
    recorder.client.phase = "while loading the model"
    recorder.client.stop(cause="worker.hung", grace_s=0)
    ended = recorder.next(WorkerExit)
    assert isinstance(ended, WorkerExit)
    problem = explain(ended)
    assert problem is not None
    assert problem.code == "worker.hung"
    assert "while loading the model" in problem.message


def test_commands_to_a_dead_worker_go_nowhere() -> None:
    recorder = Recorder(faulty("exit", "start"))
    recorder.next(WorkerExit)
    for _ in range(1000):
        recorder.client.cancel(1)
    recorder.client.stop()
    assert recorder.client.join(60)
    assert recorder.client.pid is None


def test_a_loaded_event_carries_the_settings_in_force() -> None:
    recorder = Recorder(faulty("none"))
    recorder.next(Hello)
    settings = EngineSettings(model_path="m", n_ctx=512, type_k="q8_0")
    recorder.client.send(Load(request_id=new_request_id(), settings=settings))
    event = recorder.next(Loaded)
    assert isinstance(event, Loaded)
    assert event.settings == settings
    recorder.client.stop()
    recorder.next(WorkerExit)
