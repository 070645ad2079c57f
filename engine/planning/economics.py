"""Measures what a longer context costs, for each KV type, on given or imagined devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from engine.planning.economics_data import Curve, Economics
from engine.planning.facts import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.planning.facts import Scene
    from engine.planning.planner import Planner
    from engine.settings import EngineSettings

_GIB = 1024**3


def economics(
    planner: Planner,
    settings: EngineSettings,
    scene: Scene,
    kv_types: Sequence[str],
    contexts: Sequence[int],
) -> Economics:
    """The curves of one model.

    Args:
        planner: The planner.
        settings: Everything but the KV type and the context.
        scene: The devices, own or imagined.
        kv_types: Types to draw, for K and V alike.
        contexts: Lengths to measure, rising; those past the trained context are left out.
    """
    model = planner.model(settings)
    devices = planner.chosen(settings, scene)
    longest = model.n_ctx_train or max(contexts)
    lengths = tuple(n for n in contexts if n <= longest) or tuple(contexts[:1])
    free = [device.free_bytes for device in devices]
    return Economics(
        model=model.name or model.path,
        architecture=model.architecture,
        reason=model.kv_reason,
        devices=tuple(_label(device) for device in devices),
        available_bytes=sum(cast("list[int]", free)) if free and None not in free else None,
        n_ctx_train=model.n_ctx_train,
        curves=tuple(_curve(planner, settings, scene, kv_type, lengths) for kv_type in kv_types),
        imagined=bool(scene.imagined),
    )


def _curve(
    planner: Planner,
    settings: EngineSettings,
    scene: Scene,
    kv_type: str,
    lengths: Sequence[int],
) -> Curve:
    typed = msgspec.structs.replace(settings, type_k=kv_type, type_v=kv_type)
    total, kv = [], []
    for n_ctx in lengths:
        plan = planner.bars(msgspec.structs.replace(typed, n_ctx=n_ctx), scene)
        if plan.is_refused:
            return Curve(kv_type=kv_type, refused=plan.messages[0].code)
        places = plan.devices or (plan.host,)
        total.append(sum(place.needed_bytes for place in places))
        kv.append(sum(plan.kv_kinds.values()))
    return Curve(
        kv_type=kv_type,
        n_ctx=tuple(lengths),
        total_bytes=tuple(total),
        kv_bytes=tuple(kv),
        kv_bytes_per_token=planner.kv_bytes_per_token(typed, scene),
        max_n_ctx=planner.max_n_ctx(typed, scene),
    )


def imagined_devices(count: int, total_bytes: int) -> tuple[DeviceFacts, ...]:
    """So many what-if cards of one size, all of it free but what a desktop and a driver keep."""
    kept_bytes = min(_GIB // 2, total_bytes // 20)
    return tuple(
        DeviceFacts(
            name=f"What-if {index + 1}",
            id=f"what-if-{index + 1}",
            description=f"{total_bytes / _GIB:.0f} GB card",
            backend="CUDA",
            free_bytes=total_bytes - kept_bytes,
            total_bytes=total_bytes,
            imagined=True,
        )
        for index in range(count)
    )


def _label(device: DeviceFacts) -> str:
    return device.description or device.name
