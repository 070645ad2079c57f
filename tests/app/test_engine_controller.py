"""The engine's controller with a worker that goes wrong: what it says and what each signal carries.

Nothing of the window is needed here; the window's side is in test_chat_controller.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from PySide6.QtTest import QTest

from app.engine import watching
from app.engine.bridge import WorkerBridge
from app.engine.controller import EngineController
from app.session import Session, State
from engine.errors import Problem
from engine.remote.node import Node
from engine.settings import EngineSettings, GenerationSettings, validated
from engine.worker import silence
from engine.worker.death import WorkerExit
from engine.worker.protocol import (
    Counted,
    Delta,
    Failed,
    Finished,
    Hello,
    Load,
    Loaded,
    LoadProgress,
    Measured,
    PrefillProgress,
    Prompt,
    Shutdown,
    Turn,
)
from tests.support.desk import PATIENCE_S, Hold, faulty, noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    Engines = Callable[..., EngineController]

SETTINGS = EngineSettings(model_path="fake.gguf", n_ctx=8192)
PROMPT = Prompt(chat_id="1", turns=(Turn(role="user", text="why"),))
# Milliseconds; nothing waits for it unless something is broken.
PATIENCE_MS = int(PATIENCE_S * 1000)


@pytest.fixture
def engines(qtbot: QtBot) -> Iterator[Engines]:
    made: list[EngineController] = []

    def make(
        fault: str = "none", moment: str = "", env: dict[str, str] | None = None
    ) -> EngineController:
        made.append(EngineController(command=faulty(fault, moment), env=env))
        return made[-1]

    yield make
    for engine in made:
        engine.shutdown()
        engine.deleteLater()


def reach(qtbot: QtBot, engine: EngineController, *states: State) -> None:
    qtbot.waitUntil(lambda: engine.session.state in states, timeout=PATIENCE_MS)


def loaded(qtbot: QtBot, engine: EngineController) -> EngineController:
    engine.load(SETTINGS)
    reach(qtbot, engine, State.READY)
    return engine


def test_what_the_bridge_carries(qtbot: QtBot) -> None:
    bridge = WorkerBridge(command=faulty("oom", "decode"))
    events, ends, lines = noted(bridge.event_arrived), noted(bridge.ended), noted(bridge.logged)
    bridge.client.start()
    bridge.client.send(Load(request_id=1, settings=SETTINGS))
    qtbot.waitUntil(lambda: any(isinstance(event, Loaded) for event in events), timeout=PATIENCE_MS)
    bridge.client.send(Shutdown())
    qtbot.waitUntil(lambda: bool(ends), timeout=PATIENCE_MS)
    assert [type(event) for event in events] == [Hello, *[LoadProgress] * 3, Loaded]
    ended = ends[0]
    assert isinstance(ended, WorkerExit)
    assert ended.status == 0
    assert len(ends) == 1
    assert all(isinstance(line, str) for line in lines)


def test_what_each_signal_of_a_good_run_carries(engines: Engines, qtbot: QtBot) -> None:
    engine = engines()
    sessions, replies = noted(engine.session_changed), noted(engine.reply_event)
    measured, counted = noted(engine.measured), noted(engine.counted)
    loaded(qtbot, engine)
    assert engine.measure(PROMPT, GenerationSettings()) > 0
    asked = engine.count(("one two", "three"))
    qtbot.waitUntil(lambda: bool(counted and measured), timeout=PATIENCE_MS)
    request_id = engine.generate(PROMPT, GenerationSettings())
    reach(qtbot, engine, State.READY)

    assert all(isinstance(session, Session) for session in sessions)
    states = [session.state for session in sessions if isinstance(session, Session)]
    order = [state for at, state in enumerate(states) if at == 0 or states[at - 1] is not state]
    assert order == [
        State.STARTING,
        State.LOADING,
        State.READY,
        State.READING,
        State.WRITING,
        State.READY,
    ]
    assert isinstance(measured[0], Measured)
    assert counted == [Counted(request_id=asked, counts=(2, 1))]
    assert [type(event) for event in replies] == [PrefillProgress, *[Delta] * 10, Finished]
    assert {getattr(event, "request_id", None) for event in replies} == {request_id}


def test_what_a_failed_question_carries(engines: Engines, qtbot: QtBot) -> None:
    engine = loaded(qtbot, engines("measure_fails"))
    failures = noted(engine.question_failed)
    asked = engine.measure(PROMPT, GenerationSettings())
    qtbot.waitUntil(lambda: bool(failures), timeout=PATIENCE_MS)
    failure = failures[0]
    assert isinstance(failure, Failed)
    assert failure.request_id == asked
    assert engine.session.state is State.READY


def test_what_a_failed_load_carries(engines: Engines, qtbot: QtBot) -> None:
    engine = engines("load_fails")
    failures = noted(engine.load_failed)
    engine.load(SETTINGS)
    reach(qtbot, engine, State.IDLE)
    qtbot.waitUntil(lambda: bool(failures), timeout=PATIENCE_MS)
    problem = failures[0]
    assert isinstance(problem, Problem)
    assert problem.code == "models.not_found"
    assert engine.session.problem == problem
    assert engine.session.loaded is None


def test_log_lines_arrive_and_name_the_cause(engines: Engines, qtbot: QtBot) -> None:
    engine = engines("oom", "load")
    lines, deaths = noted(engine.logged), noted(engine.died)
    engine.load(SETTINGS)
    reach(qtbot, engine, State.DIED)
    assert "ggml_backend_cuda_buffer: cudaMalloc failed: out of memory" in lines
    problem = deaths[0]
    assert isinstance(problem, Problem)
    assert problem.code == "worker.out_of_memory"
    assert "cudaMalloc" in problem.detail


def test_a_program_that_is_not_there() -> None:
    engine = EngineController(command=["/nowhere/worker"])
    deaths = noted(engine.died)
    engine.load(SETTINGS)
    assert engine.session.state is State.DIED
    assert isinstance(deaths[0], Problem)
    assert deaths[0].code == "worker.start_failed"
    assert engine.session.wanted == SETTINGS, "there is nothing to restart with"
    engine.shutdown()


def test_another_version_of_the_protocol(engines: Engines, qtbot: QtBot) -> None:
    engine = engines("other_version")
    engine.load(SETTINGS)
    reach(qtbot, engine, State.DIED)
    assert engine.session.problem is not None
    assert engine.session.problem.code == "worker.other_version"
    assert "99" in engine.session.problem.message
    # It goes before the test ends, or it would be found left running.
    engine.shutdown()


def test_death_while_starting(engines: Engines, qtbot: QtBot) -> None:
    engine = engines("exit", "start")
    engine.load(SETTINGS)
    reach(qtbot, engine, State.DIED)
    assert engine.session.problem is not None
    assert engine.session.problem.code == "worker.exited"
    assert "while starting" in engine.session.problem.message


def test_a_hang_is_noticed_and_restart_leads_out_of_it(
    engines: Engines, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.5)
    plan = tmp_path / "plan"
    plan.write_text("hang decode")
    engine = loaded(qtbot, engines(env={"FAULTY_PLAN": str(plan)}))
    silences, losses = noted(engine.fell_silent), noted(engine.reply_lost)
    engine.generate(PROMPT, GenerationSettings())
    qtbot.waitUntil(lambda: bool(silences), timeout=PATIENCE_MS)
    problem = silences[0]
    assert isinstance(problem, Problem)
    assert problem.code == "worker.silent"
    assert "while writing" in problem.message
    QTest.qWait(1200)
    assert len(silences) == 1, "told again and again"

    old = engine.pid
    engine.restart()
    reach(qtbot, engine, State.READY)
    assert engine.pid != old
    assert [isinstance(one, Problem) and one.code for one in losses] == ["worker.hung"]
    engine.generate(PROMPT, GenerationSettings())
    qtbot.waitUntil(lambda: engine.session.state is State.READY, timeout=PATIENCE_MS)


def test_stop_ends_an_engine_that_hangs_and_starts_it_again(
    engines: Engines, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(silence, "CANCEL_S", 0.5)
    plan = tmp_path / "plan"
    plan.write_text("hang prefill")
    engine = loaded(qtbot, engines(env={"FAULTY_PLAN": str(plan)}))
    old, losses = engine.pid, noted(engine.reply_lost)
    engine.generate(PROMPT, GenerationSettings())
    qtbot.waitUntil(lambda: engine.session.prefill is not None, timeout=PATIENCE_MS)
    engine.cancel()
    qtbot.waitUntil(lambda: bool(losses), timeout=PATIENCE_MS)
    assert [isinstance(one, Problem) and one.code for one in losses] == ["worker.hung"]
    reach(qtbot, engine, State.READY)
    assert engine.pid != old


def test_a_hang_while_starting_ends_by_itself(
    engines: Engines, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "START_TIMEOUT_S", 0.5)
    engine = engines("hang", "start")
    engine.load(SETTINGS)
    reach(qtbot, engine, State.DIED)
    assert engine.session.problem is not None
    assert engine.session.problem.code == "worker.start_timeout"


def test_cancel_stops_a_reply_and_keeps_the_model(
    engines: Engines, qtbot: QtBot, tmp_path: Path
) -> None:
    hold = Hold(tmp_path)
    hold.at()
    engine = loaded(qtbot, engines(env=hold.env))
    replies = noted(engine.reply_event)
    engine.generate(PROMPT, GenerationSettings())
    qtbot.waitUntil(lambda: len(replies) > 2, timeout=PATIENCE_MS)
    engine.cancel()
    reach(qtbot, engine, State.READY)
    last = replies[-1]
    assert isinstance(last, Finished)
    assert last.stop_reason == "cancelled"
    assert engine.session.loaded is not None


def test_cancel_while_starting(engines: Engines, qtbot: QtBot) -> None:
    engine = engines()
    deaths = noted(engine.died)
    engine.load(SETTINGS)
    states = [engine.session.state]
    engine.cancel()
    states.append(engine.session.state)
    assert states == [State.STARTING, State.OFF]
    loaded(qtbot, engine)
    assert not deaths


def test_another_model_while_a_reply_is_written(
    engines: Engines, qtbot: QtBot, tmp_path: Path
) -> None:
    hold = Hold(tmp_path)
    hold.at()
    engine = loaded(qtbot, engines(env=hold.env))
    replies, losses = noted(engine.reply_event), noted(engine.reply_lost)
    engine.generate(PROMPT, GenerationSettings())
    qtbot.waitUntil(lambda: len(replies) > 2, timeout=PATIENCE_MS)
    engine.load(EngineSettings(model_path="other.gguf"))
    qtbot.waitUntil(lambda: engine.session.state is State.READY, timeout=PATIENCE_MS)
    assert engine.session.loaded is not None
    assert engine.session.loaded.settings.model_path == "other.gguf"
    assert [isinstance(one, Problem) and one.code for one in losses] == ["worker.reloaded"]
    assert isinstance(replies[-1], Delta), "it was told of after it was over"


def test_eject_and_load_again_use_one_worker(engines: Engines, qtbot: QtBot) -> None:
    engine = loaded(qtbot, engines())
    pid = engine.pid
    engine.eject()
    reach(qtbot, engine, State.IDLE)
    assert engine.session.loaded is None
    assert engine.measure(PROMPT, GenerationSettings()) == 0
    assert engine.count(("x",)) == 0
    loaded(qtbot, engine)
    assert engine.pid == pid


def test_safe_settings_ask_for_less(engines: Engines, qtbot: QtBot) -> None:
    engine = engines("kill", "load")
    engine.load(SETTINGS)
    reach(qtbot, engine, State.DIED)
    engine.restart(safe=True)
    assert engine.session.wanted is not None
    assert engine.session.wanted.model_path == SETTINGS.model_path
    assert engine.session.wanted != SETTINGS
    reach(qtbot, engine, State.DIED)


def test_a_worker_that_will_not_go_is_killed_in_time(engines: Engines, qtbot: QtBot) -> None:
    engine = loaded(qtbot, engines("ignores_shutdown"))
    pid = engine.pid
    assert pid
    engine.shutdown(timeout_s=12.0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.model
def test_another_model_is_loaded_though_the_node_of_the_first_is_gone(
    qtbot: QtBot, demo_model: Path
) -> None:
    engine, node = EngineController(), Node("127.0.0.1", 0, "CPU", threads=1)
    node.start()
    try:
        local = EngineSettings(model_path=str(demo_model), n_ctx=256, devices=("cpu",))
        engine.load(validated(local, devices=(node.address,)))
        qtbot.waitUntil(lambda: engine.session.state is State.READY, timeout=PATIENCE_MS)
        node.stop()
        deaths = noted(engine.died)
        engine.load(local)
        qtbot.waitUntil(
            lambda: engine.session.state in (State.READY, State.DIED), timeout=PATIENCE_MS
        )
        assert engine.session.state is State.READY
        assert engine.session.wanted == local
        assert not deaths
    finally:
        node.stop()
        engine.shutdown()
        engine.deleteLater()


@pytest.mark.model
def test_a_question_is_asked_again_where_its_node_was_started_anew(
    qtbot: QtBot, demo_model: Path
) -> None:
    engine, node = EngineController(), Node("127.0.0.1", 0, "CPU", threads=1)
    node.start()
    try:
        engine.load(EngineSettings(model_path=str(demo_model), n_ctx=256, devices=(node.address,)))
        qtbot.waitUntil(lambda: engine.session.state is State.READY, timeout=PATIENCE_MS)
        node.stop()
        node = Node("127.0.0.1", node.port, "CPU", threads=1)
        node.start()
        replies, returns = noted(engine.reply_event), noted(engine.came_back)
        losses, deaths = noted(engine.reply_lost), noted(engine.died)
        request_id = engine.generate(PROMPT, GenerationSettings(max_tokens=2))
        qtbot.waitUntil(lambda: engine.session.state is State.READY, timeout=PATIENCE_MS)
        assert isinstance(replies[-1], Finished)
        assert replies[-1].request_id == request_id
        assert [isinstance(one, Problem) and one.code for one in returns] == ["node.came_back"]
        assert node.address in str(returns[0].message)  # type: ignore[attr-defined]
        assert not losses
        assert not deaths
    finally:
        node.stop()
        engine.shutdown()
        engine.deleteLater()


@pytest.mark.model
def test_stop_ends_a_question_that_waits_for_its_node(qtbot: QtBot, demo_model: Path) -> None:
    engine, node = EngineController(), Node("127.0.0.1", 0, "CPU", threads=1)
    node.start()
    try:
        engine.load(EngineSettings(model_path=str(demo_model), n_ctx=256, devices=(node.address,)))
        qtbot.waitUntil(lambda: engine.session.state is State.READY, timeout=PATIENCE_MS)
        node.stop()
        node = Node("127.0.0.1", node.port, "CPU", threads=1)
        node.start()
        losses = noted(engine.reply_lost)
        engine.came_back.connect(engine.cancel)
        engine.generate(PROMPT, GenerationSettings(max_tokens=2))
        qtbot.waitUntil(lambda: bool(losses), timeout=PATIENCE_MS)
        # The model is loaded all the same.
        reach(qtbot, engine, State.READY)
        assert [isinstance(one, Problem) and one.code for one in losses] == ["worker.reloaded"]
    finally:
        node.stop()
        engine.shutdown()
        engine.deleteLater()
