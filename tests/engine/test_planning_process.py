"""The planner process: plans, streams, newer questions, crashes, damaged files, idleness."""

from __future__ import annotations

import os
import queue
import signal
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import UserError
from engine.planning.client import BlockingPlanner, PlannerClient, is_last
from engine.planning.economics import economics, imagined_devices
from engine.planning.facts import Scene
from engine.planning.plan import as_json
from engine.planning.planner import Planner
from engine.planning.protocol import Answers, Ask, Compare, Failed, Fit, Open, Planned
from engine.remote.node import Node
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.model
_GIB = 1024**3
# Nothing waits for it unless something is broken.
_PATIENCE_S = 120.0


class Listener:
    """A client whose answers are waited for."""

    def __init__(self, **options: object) -> None:
        self.answers: queue.Queue[Answers] = queue.Queue()
        self.client = PlannerClient(self.answers.put, **options)  # type: ignore[arg-type]

    def last(self, timeout_s: float = _PATIENCE_S) -> Answers:
        while True:
            answer = self.answers.get(timeout=timeout_s)
            if is_last(answer):
                return answer


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.client.close()


def test_a_plan_of_the_demo_on_the_cpu(demo_model: Path) -> None:
    settings = EngineSettings(model_path=str(demo_model), devices=("cpu",))
    with BlockingPlanner() as planner:
        plan = planner.plan(Ask(request_id=0, settings=settings))
    # 30 layers of 3 KV heads with 64 values, K and V, two bytes each.
    assert plan.kv_bytes_per_token == 30 * 3 * 64 * 2 * 2
    assert plan.kv_kinds == {"attention": 8192 * 23040}
    assert plan.host.weights_bytes > 90_000_000
    assert (plan.verdict, plan.max_n_ctx, plan.is_final) == ("ok", 8192, True)
    shown = as_json(plan)
    assert {"devices", "host", "kv_kinds", "verdict", "messages", "max_n_ctx"} <= shown.keys()


def test_bars_come_before_the_slower_figures(listener: Listener, demo_model: Path) -> None:
    settings = EngineSettings(model_path=str(demo_model), devices=("cpu",))
    listener.client.send(Ask(request_id=0, settings=settings))
    first = listener.answers.get(timeout=_PATIENCE_S)
    assert isinstance(first, Planned)
    assert (first.plan.is_final, first.plan.max_n_ctx) == (False, None)
    last = listener.last()
    assert isinstance(last, Planned)
    assert last.plan.max_n_ctx == 8192


def test_a_newer_question_cancels_the_older(listener: Listener, demo_model: Path) -> None:
    base = EngineSettings(model_path=str(demo_model), devices=("cpu",))
    for n_ctx in range(256, 8192, 256):
        settings = msgspec.structs.replace(base, n_ctx=n_ctx)
        identity = listener.client.send(Ask(request_id=0, settings=settings))
    answers: list[Answers] = []
    while not answers or not is_last(answers[-1]) or answers[-1].request_id != identity:
        answers.append(listener.answers.get(timeout=_PATIENCE_S))
    last = answers[-1]
    assert isinstance(last, Planned)
    assert last.plan.n_ctx == 7936
    # Each answered question has two answers; most were dropped.
    assert len(answers) < 31


def test_a_rule_is_answered_without_a_dry_run(demo_model: Path) -> None:
    settings = EngineSettings(model_path=str(demo_model), devices=("cpu",), split_mode="tensor")
    with BlockingPlanner() as planner:
        plan = planner.plan(Ask(request_id=0, settings=settings))
    assert plan.verdict == "no"
    assert plan.messages[0].code == "rules.tensor_no_device"
    assert plan.messages[0].change == {"split_mode": "layer"}


def test_a_cut_file_is_a_sentence(tmp_path: Path, demo_model: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(demo_model.read_bytes()[:200_000])
    with BlockingPlanner() as planner, pytest.raises(UserError) as caught:
        planner.plan(Ask(request_id=0, settings=EngineSettings(model_path=str(cut))))
    assert caught.value.code == "models.damaged"


def test_a_file_that_crashes_the_planner_is_a_sentence(
    tmp_path: Path, zoo: Callable[[str], Path], demo_model: Path
) -> None:
    # llama.cpp asserts that a model has layers.
    data = zoo("llama-dense").read_bytes()
    key = b"llama.block_count"
    place = data.index(key) + len(key) + 4
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data[:place] + (0).to_bytes(4, "little") + data[place + 4 :])
    with BlockingPlanner() as planner:
        with pytest.raises(UserError) as caught:
            planner.plan(Ask(request_id=0, settings=EngineSettings(model_path=str(broken))))
        assert caught.value.code == "planning.crashed"
        assert "n_layer" in caught.value.message
        # The next question starts it again.
        settings = EngineSettings(model_path=str(demo_model), devices=("cpu",))
        assert planner.plan(Ask(request_id=0, settings=settings)).verdict == "ok"


def test_a_planner_that_is_killed_blames_memory_and_not_the_settings(
    listener: Listener, demo_model: Path
) -> None:
    settings = EngineSettings(model_path=str(demo_model), devices=("cpu",), n_ctx=4096)
    listener.client.send(Ask(request_id=0, settings=settings))
    pid = listener.client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while not isinstance(answer := listener.answers.get(timeout=_PATIENCE_S), Failed):
        pass
    assert answer.problem.code == "planning.killed"
    assert "  " not in answer.problem.message


def test_the_process_leaves_when_idle_and_comes_back(demo_model: Path) -> None:
    settings = EngineSettings(model_path=str(demo_model), devices=("cpu",))
    listener = Listener(idle_s=0.5)
    try:
        listener.client.send(Ask(request_id=0, settings=settings, brief=True))
        assert isinstance(listener.last(), Planned)
        deadline_s = time.monotonic() + _PATIENCE_S
        while listener.client.pid is not None and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert listener.client.pid is None
        listener.client.send(Ask(request_id=0, settings=settings, brief=True))
        assert isinstance(listener.last(), Planned)
    finally:
        listener.client.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [("/bin/false", "planning.died"), ("/nowhere/at/all", "planning.not_started")],
)
def test_a_process_that_cannot_start_is_a_sentence(
    demo_model: Path, command: str, code: str
) -> None:
    listener = Listener(command=[command])
    try:
        settings = EngineSettings(model_path=str(demo_model))
        listener.client.send(Ask(request_id=0, settings=settings))
        answer = listener.last()
        assert isinstance(answer, Failed)
        assert answer.problem.code == code
    finally:
        listener.client.close()


def test_a_process_that_writes_garbage_is_a_sentence_and_not_started_again(
    demo_model: Path, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    garbage = (
        f"import os, sys; open({str(starts)!r}, 'a').write('x')\n"
        "os.write(1, b'printed by some library ' * 20); sys.stdin.read()"
    )
    listener = Listener(command=[sys.executable, "-c", garbage])
    try:
        listener.client.send(Ask(request_id=0, settings=EngineSettings(model_path=str(demo_model))))
        answer = listener.last()
        assert isinstance(answer, Failed)
        assert answer.problem.code == "planning.died"
        assert "could not be understood" in answer.problem.message
        assert starts.read_text() == "x"
    finally:
        listener.client.close()


def test_the_facts_are_enough_for_the_rules(demo_model: Path) -> None:
    with BlockingPlanner() as planner:
        settings = EngineSettings(model_path=str(demo_model))
        opened = planner.open(Open(request_id=0, settings=settings))
    assert (opened.model.architecture, opened.model.n_layer) == ("llama", 30)
    assert opened.model.gqa_ratios == (3,)
    assert opened.build.id


def test_what_if_cards_that_are_too_small_get_a_ladder(zoo: Callable[[str], Path]) -> None:
    settings = EngineSettings(
        model_path=str(zoo("qwen3moe-moe")), n_ctx=1_048_576, n_ubatch=512, swa_full=True
    )
    question = Ask(
        request_id=0, settings=settings, scene=Scene(imagined=imagined_devices(2, 4 * _GIB))
    )
    with BlockingPlanner() as planner:
        plan = planner.plan(question)
    assert plan.verdict == "no"
    assert all(device.imagined for device in plan.devices)
    labels = {fix.code: fix for fix in plan.fixes}
    assert {"planning.fix_kv", "planning.fix_layers"} <= labels.keys()
    assert all(fix.saved_bytes > 0 for fix in plan.fixes)
    # Those that are enough come first.
    enough = [fix.fits for fix in plan.fixes]
    assert enough == sorted(enough, reverse=True)


def test_what_if_cards_need_rpc_and_say_so(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.planning.stand_ins.can_serve", lambda: False)
    planner = Planner()
    settings = EngineSettings(model_path=str(demo_model))
    scene = Scene(imagined=imagined_devices(2, 24 * _GIB))
    (plan,) = planner.plans(settings, scene, brief=False)
    chart = economics(planner, settings, scene, ("f16",), (4096,))
    planner.close()
    assert plan.verdict == "no"
    assert [message.code for message in plan.messages] == ["planning.what_if_not_built"]
    assert "RPC" in plan.messages[0].problem.message
    assert [curve.refused for curve in chart.curves] == ["planning.what_if_not_built"]


@pytest.mark.parametrize("goal", ["context", "speed", "quality"])
def test_fit_answers_each_goal_with_a_plan_that_fits(demo_model: Path, goal: str) -> None:
    settings = EngineSettings(model_path=str(demo_model), n_ctx=4096)
    question = Fit(
        request_id=0,
        settings=settings,
        goal=goal,  # type: ignore[arg-type]
        scene=Scene(imagined=imagined_devices(2, 24 * _GIB)),
    )
    with BlockingPlanner() as planner:
        fitted = planner.fit(question)
    assert fitted.plan.verdict in ("ok", "slow")
    assert fitted.settings.n_ctx == (8192 if goal == "context" else 4096)
    if goal == "speed":
        # Works in a tensor split as well, which writes faster.
        assert fitted.settings.split_mode == "tensor"
        assert fitted.settings.n_ubatch == 1024


def test_a_cpu_gets_no_larger_micro_batch_than_keeps_it_busy(demo_model: Path) -> None:
    settings = EngineSettings(model_path=str(demo_model), n_ctx=4096, devices=("cpu",))
    with BlockingPlanner() as planner:
        fitted = planner.fit(Fit(request_id=0, settings=settings, goal="speed"))
    assert fitted.settings.n_ubatch == 512


def test_economics_tells_bytes_per_token_and_the_reason(
    zoo: Callable[[str], Path], demo_model: Path
) -> None:
    expected = {"deepseek2-moe": "planning.reason_mla", "mamba-dense": "planning.reason_recurrent"}
    with BlockingPlanner() as planner:
        for name, reason in expected.items():
            question = Compare(
                request_id=0,
                settings=EngineSettings(model_path=str(zoo(name)), devices=("cpu",)),
                kv_types=("f16", "q8_0"),
                contexts=(256,),
            )
            assert planner.compare(question).reason == reason
        chart = planner.compare(
            Compare(
                request_id=0,
                settings=EngineSettings(model_path=str(demo_model)),
                kv_types=("f16", "q8_0", "q4_0"),
                contexts=(1024, 4096, 8192),
                scene=Scene(imagined=imagined_devices(2, 24 * _GIB)),
            )
        )
    per_token = [curve.kv_bytes_per_token for curve in chart.curves]
    assert per_token == [23040, 12240, 6480]
    assert chart.imagined
    assert chart.reason == "planning.reason_gqa"
    assert all(list(curve.total_bytes) == sorted(curve.total_bytes) for curve in chart.curves)


def test_two_nodes_are_planned_while_another_client_uses_them(demo_model: Path) -> None:
    nodes = [Node("127.0.0.1", 0, "CPU", threads=1) for _ in range(2)]
    try:
        for node in nodes:
            node.start()
        settings = EngineSettings(
            model_path=str(demo_model),
            devices=tuple(node.address for node in nodes),
            split_mode="tensor",
            n_ctx=2048,
        )
        with BlockingPlanner() as one, BlockingPlanner() as other:
            plan = one.plan(Ask(request_id=0, settings=settings))
            again = other.plan(Ask(request_id=0, settings=settings))
            assert [device.id for device in plan.devices] == list(settings.devices)
            assert plan.parts == (0.5, 0.5)
            assert plan.devices[0].kv_bytes == again.devices[0].kv_bytes == 2048 * 23040 // 2
    finally:
        for node in nodes:
            node.stop()
