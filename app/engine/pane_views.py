"""From the engine's session and the instruments to what the engine pane shows. No Qt objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QCoreApplication

from app.session import Session, State
from widgets.engine_pane.viewdata import (
    DeviceLiveView,
    DevicePlanView,
    DeviceView,
    LoadProgressView,
    ModelCardView,
    ModelState,
    Tone,
)

if TYPE_CHECKING:
    from engine.telemetry.snapshot import GpuSnapshot, Snapshot
    from engine.worker.protocol import DeviceMemory, Loaded, LoadProgress, ModelInfo

RAM_ID = "ram"
_CONTEXT = "EngineStates"
_GIB = float(1 << 30)

_STATES: dict[State, tuple[ModelState, Tone]] = {
    State.OFF: ("unloaded", "plain"),
    State.STARTING: ("loading", "warn"),
    State.IDLE: ("unloaded", "plain"),
    State.LOADING: ("loading", "warn"),
    State.READY: ("ready", "ok"),
    State.READING: ("reading", "ok"),
    State.WRITING: ("writing", "ok"),
    State.EJECTING: ("ejecting", "warn"),
    State.DIED: ("died", "bad"),
}


def _tr(text: str) -> str:
    return QCoreApplication.translate(_CONTEXT, text)


def model_card(session: Session, name: str, *, build: str, build_help: str) -> ModelCardView:
    """The card at the top; `name` is what is loaded, or would be."""
    state, tone = _STATES[session.state]
    if not name:
        state, tone = "none", "plain"
    if session.problem is not None:
        tone = "bad"
    return ModelCardView(
        name=name,
        state=state,
        words=_words(session, name),
        tone=tone,
        progress=_progress(session.load_progress) if state == "loading" else None,
        detail=_detail(session.loaded) if session.loaded else "",
        build=build,
        build_help=build_help,
    )


def _words(session: Session, name: str) -> str:
    if not name:
        return _tr("No model chosen")
    match session.state:
        case State.STARTING:
            return _tr("Starting the engine")
        case State.LOADING:
            return _tr("Loading")
        case State.READING:
            return _tr("Reading")
        case State.WRITING:
            return _tr("Writing")
        case State.EJECTING:
            return _tr("Unloading")
        case State.DIED:
            return _tr("Stopped unexpectedly")
        case State.READY if session.loaded:
            return " · ".join([_tr("Ready"), *_placement(session.loaded)])
        case _ if session.problem is not None:
            return session.problem.message
    return _tr("Not loaded")


def _placement(loaded: Loaded) -> list[str]:
    context = loaded.context
    gpus = [device for device in context.devices if device.kind != "cpu"]
    if not gpus:
        where = _tr("CPU")
    elif len(gpus) == 1:
        where = gpus[0].description or gpus[0].name
    else:
        remote = any(device.kind == "rpc" for device in gpus)
        words = (
            _tr("{count} devices, {split} split") if remote else _tr("{count} GPUs, {split} split")
        )
        where = words.format(count=len(gpus), split=context.split_mode)
    kv = (
        context.type_k
        if context.type_k == context.type_v
        else (f"{context.type_k}/{context.type_v}")
    )
    return [where, f"KV {kv}", f"{context.n_ctx:,}"]


def _progress(progress: LoadProgress | None) -> LoadProgressView | None:
    if progress is None:
        return LoadProgressView(words=_tr("Opening"))
    words = {
        "open": _tr("Opening"),
        "weights": _tr("Reading weights"),
        "projector": _tr("Reading the projector"),
        "draft": _tr("Reading the draft model"),
        "context": _tr("Making the context"),
        "warmup": _tr("Warming up"),
    }[progress.phase]
    left = None
    if 0.02 < progress.fraction < 1.0:
        left = progress.elapsed_s * (1 - progress.fraction) / progress.fraction
    return LoadProgressView(
        words=words,
        fraction=progress.fraction,
        done_bytes=int(progress.fraction * progress.total_bytes),
        total_bytes=progress.total_bytes or None,
        elapsed_s=progress.elapsed_s,
        seconds_left=left,
    )


def _detail(loaded: Loaded) -> str:
    model = loaded.model
    lines = [
        model.path,
        f"{model.description} · {model.parameter_count:,} parameters · "
        f"{model.size_bytes / _GIB:.2f} GiB",
        _layers(model),
        _tr("trained for {count:,} tokens · template: {source}").format(
            count=model.n_ctx_train, source=model.template_source
        ),
        _tr("loaded in {seconds:.1f} s").format(seconds=loaded.seconds),
    ]
    return "\n".join(lines)


def _layers(model: ModelInfo) -> str:
    heads = f"{model.n_head}:{model.n_head_kv}"
    window = f" · window {model.n_swa:,}" if model.n_swa else ""
    return f"{model.architecture} · {model.n_layer} layers · heads {heads}{window}"


def device_plan(loaded: Loaded | None, snapshot: Snapshot | None) -> DevicePlanView:
    """One bar per device: the engine's own account of its memory beside what others take."""
    # RAM has a row for each kind of buffer.
    rows = loaded.context.memory if loaded else ()
    memory = {row.id: row for row in rows}
    projector = loaded.context.projector_bytes if loaded else {}
    devices = [
        _gpu_bar(gpu, memory, projector.get(gpu.pci_id, 0))
        for gpu in (snapshot.gpus if snapshot else ())
    ]
    known = {device.id for device in devices}
    host = [row for row in rows if row.id not in known]
    devices.append(_ram_bar(host, snapshot, projector.get("cpu", 0)))
    return DevicePlanView(devices=tuple(devices))


def remembered_plan(devices: str) -> DevicePlanView:
    """The devices of the last time, until the instruments have read them: nothing jumps then.

    Args:
        devices: What `devices_to_remember` gave; anything else is no GPU.
    """
    try:
        gpus = msgspec.json.decode(devices or "[]", type=list[tuple[str, str]])
    except msgspec.DecodeError:
        gpus = []
    bars = [DeviceView(id=id_, name=name) for id_, name in gpus]
    return DevicePlanView(devices=(*bars, _ram_bar([], None, 0)))


def devices_to_remember(snapshot: Snapshot) -> str:
    """Ids and names of the GPUs, for `remembered_plan`."""
    return msgspec.json.encode([(gpu.pci_id, gpu.name) for gpu in snapshot.gpus]).decode()


def _gpu_bar(gpu: GpuSnapshot, memory: dict[str, DeviceMemory], projector_bytes: int) -> DeviceView:
    row = memory.get(gpu.pci_id)
    engine_bytes = row.weights_bytes + row.kv_bytes + row.compute_bytes if row else 0
    engine_bytes += projector_bytes
    runtime = None
    if gpu.own_vram_bytes is not None:
        runtime = max(0, gpu.own_vram_bytes - engine_bytes)
    other = None
    if gpu.vram_used_bytes is not None:
        other = max(0, gpu.vram_used_bytes - engine_bytes - (runtime or 0))
    return DeviceView(
        id=gpu.pci_id,
        name=gpu.name,
        total_bytes=gpu.vram_total_bytes,
        weights_bytes=row.weights_bytes if row else None,
        kv_bytes=row.kv_bytes if row else None,
        compute_bytes=row.compute_bytes if row else None,
        projector_bytes=projector_bytes or None,
        runtime_bytes=runtime,
        other_bytes=other,
        is_on=row is not None or not memory,
        is_lost=gpu.lost,
        problem=gpu.problem.message if gpu.problem else "",
    )


def _ram_bar(
    rows: list[DeviceMemory], snapshot: Snapshot | None, projector_bytes: int
) -> DeviceView:
    host = snapshot.host if snapshot else None
    weights = sum(row.weights_bytes for row in rows) if rows else None
    kv = sum(row.kv_bytes for row in rows) if rows else None
    compute = sum(row.compute_bytes for row in rows) if rows else None
    other = None
    if host and host.ram_used_bytes is not None:
        own = host.own_rss_bytes or 0
        other = max(0, host.ram_used_bytes - own)
    return DeviceView(
        id=RAM_ID,
        name=_tr("RAM"),
        kind="ram",
        total_bytes=host.ram_total_bytes if host else None,
        weights_bytes=weights,
        kv_bytes=kv,
        compute_bytes=compute,
        projector_bytes=projector_bytes or None,
        other_bytes=other,
    )


def devices_live(snapshot: Snapshot) -> tuple[DeviceLiveView, ...]:
    """What the instruments read just now, a device each."""
    host = snapshot.host
    live = [
        DeviceLiveView(
            id=gpu.pci_id,
            used_bytes=gpu.vram_used_bytes,
            app_bytes=gpu.own_vram_bytes,
            busy_percent=gpu.utilization_percent,
            bandwidth_percent=gpu.memory_utilization_percent,
            power_w=gpu.power_w,
            temperature_c=gpu.temperature_c,
            pcie=_pcie(gpu),
            pcie_rx_bytes_per_s=gpu.pcie_rx_bytes_per_s,
            pcie_tx_bytes_per_s=gpu.pcie_tx_bytes_per_s,
            note=_others(gpu),
        )
        for gpu in snapshot.gpus
    ]
    live.append(
        DeviceLiveView(
            id=RAM_ID,
            used_bytes=host.ram_used_bytes,
            app_bytes=host.own_rss_bytes,
            busy_percent=host.cpu_percent,
        )
    )
    return tuple(live)


def _pcie(gpu: GpuSnapshot) -> str:
    if gpu.pcie_generation is None or gpu.pcie_width is None:
        return ""
    return f"PCIe {gpu.pcie_generation}.0 ×{gpu.pcie_width}"  # noqa: RUF001  the lane sign


def _others(gpu: GpuSnapshot) -> str:
    if gpu.vram_used_bytes is None or gpu.own_vram_bytes is None:
        return ""
    others = gpu.vram_used_bytes - gpu.own_vram_bytes
    if others < 0.1 * _GIB:
        return ""
    return _tr("others {gib:.1f} GiB").format(gib=others / _GIB)
