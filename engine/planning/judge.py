"""From measured bytes and free memory to a plan with its verdict and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.planning.plan import DevicePlan, Plan, PlanMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.errors import Params, UserError
    from engine.llama.dry_run import Measured, Share
    from engine.settings import EngineSettings

_GIB = 1024**3


def emptied(places: Sequence[DevicePlan]) -> tuple[DevicePlan, ...]:
    """Places that hold nothing, for a plan that is refused."""
    return tuple(msgspec.structs.replace(place, runtime_bytes=0, pool_bytes=0) for place in places)


def refused(plan: Plan, error: UserError) -> Plan:
    """The plan of settings that llama.cpp itself refuses."""
    problem = error.problem
    message = PlanMessage(code=problem.code, severity="no", params=problem.params)
    return msgspec.structs.replace(plan, verdict="no", messages=(message, *plan.messages))


def filled(
    plan: Plan,
    settings: EngineSettings,
    places: Sequence[DevicePlan],
    host: DevicePlan,
    measured: Measured,
) -> Plan:
    """The plan with what the dry run measured."""
    shares: dict[int, Share] = dict(enumerate(measured.devices))
    if settings.split_mode == "none" and places:
        # Only the main device is used; the dry run knows no other.
        shares = {settings.main_gpu: measured.devices[0]} if measured.devices else {}
    return msgspec.structs.replace(
        plan,
        n_ctx=measured.n_ctx,
        devices=tuple(_with(place, shares.get(index)) for index, place in enumerate(places)),
        host=_with(host, measured.host),
        kv_kinds=measured.kv_kinds,
        parts=measured.parts,
        shares=measured.shares,
    )


def _with(place: DevicePlan, share: Share | None) -> DevicePlan:
    if share is None:
        return msgspec.structs.replace(place, runtime_bytes=0, pool_bytes=0)
    return msgspec.structs.replace(
        place,
        weights_bytes=share.weights_bytes,
        kv_bytes=share.kv_bytes,
        compute_bytes=share.compute_bytes,
        projector_bytes=share.projector_bytes,
    )


def judged(plan: Plan) -> Plan:
    """The plan with its sentences about memory."""
    messages: list[PlanMessage] = []
    for place in (*plan.devices, plan.host):
        left = place.left_bytes
        if left is None:
            continue
        if left < 0:
            code = "planning.over_host" if place.kind == "cpu" else "planning.over_device_whole"
            messages.append(PlanMessage(code=code, severity="no", params=sizes(place)))
        elif left < place.reserve_bytes and place.weights_bytes:
            messages.append(
                PlanMessage(code="planning.tight", severity="slow", params=sizes(place))
            )
    verdict = plan.verdict
    if any(message.severity == "no" for message in messages):
        verdict = "no"
    elif messages and verdict == "ok":
        verdict = "slow"
    return msgspec.structs.replace(plan, verdict=verdict, messages=(*messages, *plan.messages))


def sizes(place: DevicePlan) -> Params:
    """What a sentence about a place is filled with."""
    return {
        "device": place.description or place.name,
        "needed_gib": f"{place.needed_bytes / _GIB:.1f}",
        "free_gib": f"{(place.free_bytes or 0) / _GIB:.1f}",
        "left_gib": f"{(place.left_bytes or 0) / _GIB:.1f}",
        "reserve_gib": f"{place.reserve_bytes / _GIB:.1f}",
    }
