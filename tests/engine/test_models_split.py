"""A model split into several files: inspected, found, planned, loaded and asked as one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun
from engine.llama.engine import Engine
from engine.models.discover import discover
from engine.models.header import read_header
from engine.models.places import Place
from engine.planning.header import read_header as read_planned
from engine.remote.servers import start_server, stop_server
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Prompt, Turn
from tests.support.splitting import split_model

if TYPE_CHECKING:
    from pathlib import Path

    from engine.worker.protocol import ReplyEvent

_SMALL = EngineSettings(n_ctx=512, n_threads=1, n_threads_batch=1, devices=("cpu",), mmap=False)


@pytest.fixture(scope="module")
def parts(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return split_model(demo_model, tmp_path_factory.mktemp("split"), 3)


def test_the_parts_are_one_model_with_the_header_of_the_whole(
    parts: list[Path], demo_model: Path
) -> None:
    whole, split = read_header(demo_model).as_facts(), read_header(parts[0]).as_facts()
    assert (split["parts"], split["complete"]) == (3, True)
    assert split["file_bytes"] == sum(part.stat().st_size for part in parts)
    own = ("path", "parts", "file_bytes")
    assert {**split, **dict.fromkeys(own)} == {**whole, **dict.fromkeys(own)}
    found = [m for some in discover([Place("folder", parts[0].parent)]) for m in some]
    assert [(m.path, m.parts, m.name) for m in found] == [(parts[0], 3, "model")]
    assert sorted(read_planned(parts[0]).tensors) == sorted(read_planned(demo_model).tensors)


@pytest.mark.model
def test_the_plan_is_what_a_load_from_the_first_part_takes(
    parts: list[Path], demo_model: Path
) -> None:
    settings = replace(_SMALL, model_path=str(parts[0]))
    run = DryRun(settings.model_path, Devices())
    plan = run.measure(settings)
    assert run.header.facts.file_bytes == sum(part.stat().st_size for part in parts)
    run.close()
    engine = Engine()
    sizes = []

    def progress(_phase: str, _fraction: float, total_bytes: int) -> bool:
        sizes.append(total_bytes)
        return True

    outcome = engine.load(settings, progress=progress)
    assert set(sizes) == {run.header.facts.file_bytes}
    live = outcome.context.memory
    for part in ("weights_bytes", "kv_bytes", "compute_bytes"):
        assert sum(getattr(row, part) for row in live) == getattr(plan.host, part), part
    split_reply = _reply(engine)
    engine.load(replace(settings, model_path=str(demo_model)), progress=lambda *_: True)
    assert _reply(engine) == split_reply != ""
    engine.close()


@pytest.mark.model
def test_the_parts_are_placed_on_two_devices_as_planned(parts: list[Path]) -> None:
    servers = [start_server("CPU", threads=1) for _ in range(2)]
    devices = tuple(address for address, _ in servers)
    settings = replace(_SMALL, model_path=str(parts[0]), devices=devices, tensor_split=(3, 1))
    try:
        run = DryRun(settings.model_path, Devices())
        plan = run.measure(settings)
        run.close()
        engine = Engine()
        memory = engine.load(settings, progress=lambda *_: True).context.memory
        engine.close()
    finally:
        for _, server in servers:
            stop_server(server)
    live = {row.id: (row.weights_bytes, row.kv_bytes, row.compute_bytes) for row in memory}
    planned = [(one.weights_bytes, one.kv_bytes, one.compute_bytes) for one in plan.devices]
    assert [live[address] for address in devices] == planned
    # The KV cache follows the layers; the second device holds the output layer besides.
    assert planned[0][1] > 2 * planned[1][1] > 0


def test_any_other_file_than_a_whole_set_is_a_sentence(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _load(parts[1])
    assert caught.value.code == "models.not_first_part"
    assert parts[1].name in caught.value.message
    assert parts[0].name in caught.value.fix
    for part in (parts[0], parts[2]):
        shutil.copy(part, tmp_path)
    first = tmp_path / parts[0].name
    with pytest.raises(UserError) as caught:
        _load(first)
    assert caught.value.code == "models.part_missing"
    assert parts[1].name in caught.value.message
    with pytest.raises(UserError) as caught:
        _load(first.rename(tmp_path / "renamed.gguf"))
    assert caught.value.code == "models.part_renamed"
    assert "renamed.gguf" in caught.value.message


def _load(path: Path) -> None:
    engine = Engine()
    try:
        engine.load(replace(_SMALL, model_path=str(path)), progress=lambda *_: True)
    finally:
        engine.close()


def _reply(engine: Engine) -> str:
    texts: list[str] = []

    def emit(event: ReplyEvent) -> None:
        if isinstance(event, Delta):
            texts.append(event.text)

    prompt = Prompt(chat_id="c", turns=(Turn(role="user", text="Capital of France?"),))
    calm = GenerationSettings(temperature=0.0, max_tokens=6)
    engine.generate(prompt, calm, emit=emit, request_id=1)
    return "".join(texts)
