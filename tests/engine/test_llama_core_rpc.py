"""Two RPC servers on loopback are two devices: layer and tensor split run for real on any CPU."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama import stepping
from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun
from engine.llama.engine import Engine, LoadOutcome
from engine.llama.sampling_search import compiled_library
from engine.llama.stepping import Stepper
from engine.models.demo import demo_model_path
from engine.remote.servers import free_port, start_server, stop_server
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Prompt, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.worker.protocol import ReplyEvent

pytestmark = pytest.mark.model

SETTINGS = EngineSettings(
    model_path=str(demo_model_path()), n_ctx=512, n_threads=1, n_threads_batch=1, devices=("cpu",)
)
CALM = GenerationSettings(
    system_prompt="You are a helpful assistant.", temperature=0.0, max_tokens=12
)


@pytest.fixture
def servers() -> Iterator[tuple[str, str]]:
    """Servers of this test alone: a server serves one client, for as long as that one lives."""
    started = [start_server("CPU", threads=1) for _ in range(2)]
    yield started[0][0], started[1][0]
    for _, process in started:
        stop_server(process)


def answer(
    engine: Engine,
    question: str = "Name three colours.",
    generation: GenerationSettings = CALM,
) -> str:
    texts: list[str] = []

    def emit(event: ReplyEvent) -> None:
        if isinstance(event, Delta):
            texts.append(event.text)

    prompt = Prompt(chat_id="c", turns=(Turn(role="user", text=question),))
    engine.generate(prompt, generation, emit=emit, request_id=1)
    return "".join(texts)


def answer_with(settings: EngineSettings) -> str:
    engine = Engine()
    engine.load(settings, progress=lambda *_: True)
    text = answer(engine)
    engine.close()
    return text


def test_the_second_device_alone_is_planned_and_takes_another_context(
    servers: tuple[str, str],
) -> None:
    second = replace(SETTINGS, devices=servers, split_mode="none", main_gpu=1)
    run = DryRun(second.model_path, Devices())
    planned = run.measure(second)
    run.close()
    engine = Engine()
    engine.load(second, progress=lambda *_: True)
    outcome = engine.load(replace(second, n_ctx=1024), progress=lambda *_: True)
    account = {row.id: row for row in outcome.context.memory}
    assert account[servers[1]].weights_bytes == planned.devices[0].weights_bytes
    assert servers[0] not in account
    engine.close()


def test_what_a_server_held_before_is_not_in_the_next_answer(servers: tuple[str, str]) -> None:
    """Half of a split is made by multiplying memory by 0, and 0 times NaN is NaN."""
    brief = replace(CALM, max_tokens=1)
    engine = Engine()
    for _ in range(3):
        for split in ("layer", "tensor"):
            settings = replace(SETTINGS, devices=servers, tensor_split=(1, 1), split_mode=split)
            engine.load(settings, progress=lambda *_: True)
            assert answer(engine, generation=brief)
    engine.close()


def test_layers_on_two_devices_write_what_one_device_writes(servers: tuple[str, str]) -> None:
    alone = answer_with(SETTINGS)
    engine = Engine()
    outcome = engine.load(
        replace(SETTINGS, devices=servers, tensor_split=(2, 1)), progress=lambda *_: True
    )
    assert [device.kind for device in outcome.context.devices] == ["rpc", "rpc"]
    assert [device.id for device in outcome.context.devices] == list(servers)
    assert outcome.context.split_mode == "layer"
    rows = {row.id: row for row in outcome.context.memory}
    first, second = rows[servers[0]], rows[servers[1]]
    assert min(first.weights_bytes, second.weights_bytes) > 0
    assert first.kv_bytes > second.kv_bytes > 0
    assert answer(engine) == alone
    engine.close()


def test_a_tensor_split_writes_and_takes_a_quantized_cache(servers: tuple[str, str]) -> None:
    engine = Engine()
    outcome = engine.load(
        replace(SETTINGS, devices=servers, split_mode="tensor", type_k="q8_0", type_v="q8_0"),
        progress=lambda *_: True,
    )
    assert outcome.context.split_mode == "tensor"
    assert outcome.context.flash_attn
    assert answer(engine, "What is the capital of France?").startswith("The capital of France")
    engine.close()


def test_a_layer_split_is_loaded_as_planned_whatever_is_free_by_then(
    servers: tuple[str, str],
) -> None:
    """The plan saw three times as much on the first device; llama.cpp sees the same on both."""
    settings = replace(SETTINGS, devices=servers, mmap=False)
    run = DryRun(settings.model_path, Devices())
    plan = run.measure(settings, free_bytes=(3 * 2**30, 2**30))
    longer = run.measure(replace(settings, n_ctx=1024), shares=plan.shares)
    run.close()
    engine = Engine()
    loaded = engine.load(settings, progress=lambda *_: True, shares=plan.shares)
    assert loaded.context.shares == plan.shares == (3072, 1024)
    assert _placed(loaded, servers) == [(one.weights_bytes, one.kv_bytes) for one in plan.devices]
    assert plan.devices[0].kv_bytes > 2 * plan.devices[1].kv_bytes
    # Another context leaves the layers where they are.
    changed = engine.load(replace(settings, n_ctx=1024), progress=lambda *_: True)
    engine.close()
    assert changed.context.shares == plan.shares
    assert _placed(changed, servers) == [
        (one.weights_bytes, one.kv_bytes) for one in longer.devices
    ]


def _placed(loaded: LoadOutcome, addresses: tuple[str, str]) -> list[tuple[int, int]]:
    rows = {row.id: row for row in loaded.context.memory}
    return [(rows[one].weights_bytes, rows[one].kv_bytes) for one in addresses]


def test_one_device_of_a_list_is_chosen_by_its_place(servers: tuple[str, str]) -> None:
    engine = Engine()
    outcome = engine.load(
        replace(SETTINGS, devices=servers, split_mode="none", main_gpu=1), progress=lambda *_: True
    )
    assert [device.id for device in outcome.context.devices] == [servers[1]]
    engine.close()


_CHAINS = {
    "greedy": CALM,
    "drawn": replace(CALM, temperature=1.2, seed=11, max_tokens=24),
    "penalised": replace(
        CALM, temperature=1.2, seed=11, max_tokens=24, repeat_penalty=1.3, dry_multiplier=0.8
    ),
    "few candidates": replace(CALM, temperature=1.2, seed=11, top_k=2, frequency_penalty=1.5),
    "a grammar": replace(CALM, grammar='root ::= "red" | "green and blue"'),
}


def test_steps_write_what_the_sampler_writes_alone(
    servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    settings = replace(SETTINGS, devices=servers, split_mode="none")
    engine.load(settings, progress=lambda *_: True)
    taken: list[int | None] = []
    step = Stepper.step

    def noted(stepper: Stepper, position: int) -> int | None:
        taken.append(step(stepper, position))
        return taken[-1]

    monkeypatch.setattr(Stepper, "step", noted)
    stepped = {name: answer(engine, generation=chain) for name, chain in _CHAINS.items()}
    if compiled_library() is not None:
        assert sum(token is not None for token in taken) > 60
    monkeypatch.setattr(stepping, "compiled_library", lambda: None)
    assert {name: answer(engine, generation=chain) for name, chain in _CHAINS.items()} == stepped
    engine.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tensor_split": (1, 2, 3)}, "rules.share_count"),
        ({"tensor_split": (0, 0)}, "engine.split_ratio"),
        ({"split_mode": "none", "main_gpu": 2}, "rules.main_device"),
    ],
)
def test_a_split_that_does_not_go_with_the_devices_is_refused(
    servers: tuple[str, str], changes: dict[str, object], code: str
) -> None:
    engine = Engine()
    with pytest.raises(UserError) as raised:
        engine.load(replace(SETTINGS, devices=servers, **changes), progress=lambda *_: True)
    assert raised.value.code == code
    engine.close()


def test_something_else_at_an_address_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        def reply() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(1024)
            connection.close()

        thread = threading.Thread(target=reply)
        thread.start()
        assert refused(address) == "engine.rpc_not_ggml"
        thread.join()


def test_nobody_at_an_address_is_said() -> None:
    assert refused(f"127.0.0.1:{free_port()}") == "engine.rpc_unreachable"


def refused(address: str) -> str:
    engine = Engine()
    with pytest.raises(UserError) as raised:
        engine.load(replace(SETTINGS, devices=(address,)), progress=lambda *_: True)
    engine.close()
    return raised.value.code
