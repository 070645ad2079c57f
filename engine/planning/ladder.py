"""What to change when a plan does not fit: each way measured, with the bytes it saves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.planning.plan import DevicePlan, Fix, Plan
from engine.planning.search import first_that_fits, room_bytes, tightest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.errors import Params
    from engine.planning.facts import ModelFacts
    from engine.planning.search import Measure
    from engine.settings import EngineSettings

_KV_ORDER = ("f32", "bf16", "f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
_SMALLER_KV = ("q8_0", "q4_0")


def ladder(plan: Plan, model: ModelFacts, measure: Measure, max_n_ctx: int) -> Iterator[Fix]:
    """Ways to make a plan fit, the least harmful first.

    Args:
        plan: The plan that does not fit.
        model: The model's facts.
        measure: Answers a changed setting.
        max_n_ctx: Largest context that fits with the other settings; 0 when none does.
    """
    crowded = tightest(plan)
    for code, params, change in _candidates(plan.settings, model, measure, max_n_ctx):
        fix = _measured(plan, crowded, code, params, change, measure)
        if fix is not None:
            yield fix


def ranked(fixes: list[Fix]) -> tuple[Fix, ...]:
    """Those that are enough first; within each group in the order of harm."""
    return tuple(sorted(fixes, key=lambda fix: not fix.fits))


def _candidates(
    settings: EngineSettings, model: ModelFacts, measure: Measure, max_n_ctx: int
) -> Iterator[tuple[str, Params, dict[str, Any]]]:
    if settings.swa_full and model.n_swa:
        yield "planning.fix_window", {}, {"swa_full": False}
    if settings.mmproj:
        yield "planning.fix_projector", {}, {"mmproj": ""}
    if model.has_attention:
        for kv_type in _SMALLER_KV:
            if _is_smaller(kv_type, settings):
                yield "planning.fix_kv", {"type": kv_type}, {"type_k": kv_type, "type_v": kv_type}
    for n_ubatch in (512, 256, 128):
        if n_ubatch < settings.n_ubatch:
            yield "planning.fix_ubatch", {"n_ubatch": n_ubatch}, {"n_ubatch": n_ubatch}
            break
    if max_n_ctx:
        yield "planning.fix_context", {"n_ctx": max_n_ctx}, {"n_ctx": max_n_ctx}
    if model.n_expert:
        experts = _fewest(measure, settings, "n_cpu_moe", settings.n_cpu_moe + 1, model.n_layer)
        yield "planning.fix_experts", {"layers": experts}, {"n_cpu_moe": experts}
    if settings.offload_kqv and settings.split_mode != "tensor" and model.has_attention:
        yield "planning.fix_kv_ram", {}, {"offload_kqv": False}
    if settings.n_gpu_layers != 0:
        layers = _most_layers(measure, settings, model.n_layer)
        yield "planning.fix_layers", {"layers": layers}, {"n_gpu_layers": layers}


def _is_smaller(kv_type: str, settings: EngineSettings) -> bool:
    rank = max(_rank(settings.type_k), _rank(settings.type_v))
    return _rank(kv_type) > min(rank, _rank(settings.type_k), _rank(settings.type_v))


def _rank(kv_type: str) -> int:
    return _KV_ORDER.index(kv_type) if kv_type in _KV_ORDER else len(_KV_ORDER)


def _fewest(measure: Measure, settings: EngineSettings, name: str, low: int, high: int) -> int:
    """The smallest value of a setting that fits; the largest when none is enough."""

    def fits(value: int) -> bool:
        plan = measure(msgspec.structs.replace(settings, **{name: value}))
        return not plan.is_refused and room_bytes(plan) >= 0

    found = first_that_fits(fits, min(low, high), high)
    return high if found is None else found


def _most_layers(measure: Measure, settings: EngineSettings, n_layer: int) -> int:
    """The most layers that fit on the devices; 0 when none does."""

    def fits_without(left_out: int) -> bool:
        layers = n_layer + 1 - left_out
        plan = measure(msgspec.structs.replace(settings, n_gpu_layers=layers))
        return not plan.is_refused and room_bytes(plan) >= 0

    found = first_that_fits(fits_without, 1, n_layer + 1)
    return 0 if found is None else n_layer + 1 - found


def _measured(
    plan: Plan,
    crowded: DevicePlan,
    code: str,
    params: Params,
    change: dict[str, Any],
    measure: Measure,
) -> Fix | None:
    changed = measure(msgspec.structs.replace(plan.settings, **change))
    if changed.is_refused:
        return None
    places = {place.id + place.name: place for place in (*changed.devices, changed.host)}
    after = places.get(crowded.id + crowded.name)
    saved_bytes = crowded.needed_bytes - (after.needed_bytes if after else 0)
    if saved_bytes <= 0:
        return None
    return Fix(
        code=code,
        params=params,
        change=change,
        saved_bytes=saved_bytes,
        fits=room_bytes(changed) >= 0,
    )
