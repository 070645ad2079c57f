"""A vision projector: counted in the plan as a load takes it, told apart from other files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama.devices import Device, Devices
from engine.llama.dry_run import DryRun
from engine.llama.engine import Engine
from engine.models.projector import weights_bytes
from engine.planning.client import BlockingPlanner
from engine.planning.plan import as_json
from engine.planning.protocol import Ask
from engine.remote.servers import start_server, stop_server
from engine.settings import EngineSettings
from tests.support.tiny_projector import write_projector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.worker.protocol import ContextInfo

# The log that a load is accounted by rounds to 0.01 MiB, for the device and for the host.
_ROUNDING_BYTES = 2 * 1024 * 1024 // 200 + 1
_DEMO_WIDTH = 576


@pytest.fixture
def settings(demo_model: Path, tmp_path: Path) -> EngineSettings:
    projector = write_projector(tmp_path / "mmproj-tiny.gguf", _DEMO_WIDTH, width=128, image=256)
    return EngineSettings(
        model_path=str(demo_model),
        mmproj=str(projector),
        n_ctx=512,
        n_threads=1,
        n_threads_batch=1,
        devices=("cpu",),
    )


@pytest.fixture
def nodes() -> Iterator[tuple[str, ...]]:
    servers = [start_server("CPU", threads=1) for _ in range(2)]
    yield tuple(address for address, _ in servers)
    for _, server in servers:
        stop_server(server)


@pytest.mark.model
def test_the_plan_is_what_a_load_takes(settings: EngineSettings, tmp_path: Path) -> None:
    run = DryRun(settings.model_path, Devices())
    plan, without = run.measure(settings), run.measure(replace(settings, mmproj=""))
    run.close()
    assert replace(plan.host, projector_bytes=0) == without.host
    weights = weights_bytes(tmp_path / "mmproj-tiny.gguf")
    # The scratch space of 256 patches is more than the weights of so small a thing.
    assert plan.host.projector_bytes > weights + 500_000
    live = _loaded(settings).projector_bytes
    assert live.keys() == {"cpu"}
    assert abs(live["cpu"] - plan.host.projector_bytes) <= _ROUNDING_BYTES


@pytest.mark.model
def test_it_goes_to_the_first_device_and_takes_from_its_share(
    settings: EngineSettings, nodes: tuple[str, ...]
) -> None:
    settings = replace(settings, devices=nodes)
    run = DryRun(settings.model_path, Devices())
    plan = run.measure(settings, free_bytes=(2**30, 2**30))
    crowded = run.measure(settings, free_bytes=(plan.devices[0].projector_bytes, 2**30))
    run.close()
    assert plan.devices[0].projector_bytes > 0 == plan.devices[1].projector_bytes
    assert plan.devices[0].kv_bytes > 0 == crowded.devices[0].kv_bytes
    live = _loaded(replace(settings, tensor_split=(1, 1))).projector_bytes
    assert abs(live[nodes[0]] - plan.devices[0].projector_bytes) <= _ROUNDING_BYTES
    assert abs(live.get("cpu", 0) - plan.host.projector_bytes) <= _ROUNDING_BYTES


@pytest.mark.model
def test_a_device_without_room_is_stood_in_for_and_refuses_the_load(
    settings: EngineSettings, nodes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, devices=nodes)
    run = DryRun(settings.model_path, Devices())
    roomy = run.measure(settings)
    run.close()
    monkeypatch.setattr(Device, "free_now_bytes", lambda _device: 1_000_000)
    run = DryRun(settings.model_path, Devices())
    crowded = run.measure(settings)
    run.close()
    # On the CPU the same graph, without the copies to a device.
    weights = weights_bytes(Path(settings.mmproj))
    assert crowded.host.projector_bytes == 0
    assert weights < crowded.devices[0].projector_bytes
    assert crowded.devices[0].projector_bytes == pytest.approx(
        roomy.devices[0].projector_bytes, rel=0.25
    )
    with pytest.raises(UserError) as caught:
        _loaded(settings)
    assert caught.value.code == "engine.projector_out_of_memory"


def test_a_plan_tells_it_apart_and_says_what_it_is_good_for(settings: EngineSettings) -> None:
    with BlockingPlanner() as planner:
        plan = planner.plan(Ask(request_id=0, settings=settings, brief=True))
    told = as_json(plan)["host"]["projector_bytes"]
    assert told == plan.host.projector_bytes > 0
    assert plan.host.needed_bytes >= plan.host.weights_bytes + plan.host.kv_bytes + told
    assert [message.code for message in plan.messages] == ["rules.projector"]


def test_auto_takes_the_one_beside_the_model(settings: EngineSettings, tmp_path: Path) -> None:
    model = shutil.copy(settings.model_path, tmp_path / "model.gguf")
    run = DryRun(str(model), Devices())
    beside = run.measure(replace(settings, model_path=str(model), mmproj="auto"))
    named = run.measure(replace(settings, model_path=str(model)))
    run.close()
    assert beside == named
    with pytest.raises(UserError) as caught:
        _loaded(replace(settings, mmproj="auto"))
    assert caught.value.code == "models.no_projector_beside"


def test_a_build_without_the_library_for_it_says_so(
    settings: EngineSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where llama-cpp-python looks for the library.
    monkeypatch.setenv("MTMD_CPP_LIB", str(tmp_path))
    with BlockingPlanner() as planner:
        plan = planner.plan(Ask(request_id=0, settings=settings, brief=True))
    assert plan.verdict == "no"
    assert plan.messages[0].code == "engine.no_projectors"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("a model", "models.not_a_projector"),
        ("another model's", "engine.projector_foreign"),
        ("cut off", "models.truncated"),
        ("text", "models.not_gguf"),
        ("nowhere", "models.not_found"),
        ("of an unknown kind", "engine.projector_refused"),
    ],
)
def test_a_wrong_file_is_the_same_sentence_in_a_plan_and_a_load(
    settings: EngineSettings, tmp_path: Path, kind: str, code: str
) -> None:
    path = tmp_path / "wrong.gguf"
    good = (tmp_path / "mmproj-tiny.gguf").read_bytes()
    if kind == "a model":
        path.symlink_to(settings.model_path)
    elif kind == "another model's":
        write_projector(path, 640)
    elif kind == "cut off":
        path.write_bytes(good[: len(good) // 2])
    elif kind == "text":
        path.write_text("a letter")
    elif kind == "of an unknown kind":
        path.write_bytes(good.replace(b"idefics3", b"idefics9"))
    wrong = replace(settings, mmproj=str(path))
    run = DryRun(settings.model_path, Devices())
    with pytest.raises(UserError) as planned:
        run.measure(wrong)
    run.close()
    with pytest.raises(UserError) as loaded:
        _loaded(wrong)
    assert planned.value.code == loaded.value.code == code
    assert planned.value.message == loaded.value.message
    assert str(path) in loaded.value.message


def _loaded(settings: EngineSettings) -> ContextInfo:
    engine = Engine()
    try:
        return engine.load(settings, progress=lambda *_: True).context
    finally:
        engine.close()
