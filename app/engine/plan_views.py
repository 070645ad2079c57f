"""From a plan to what the engine pane shows: bars, hints, rules, fixes, predicted against got."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QCoreApplication

from engine.planning.rules import check
from engine.settings import EngineSettings, info_for, problem_with
from engine.settings.options import shown
from widgets.engine_pane.viewdata import (
    ChoiceProblem,
    DevicePlanView,
    DeviceView,
    FixView,
    RuleView,
    SettingHints,
    Tone,
)
from widgets.figures import gib
from widgets.settings.share_slider import reduced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.errors import Problem
    from engine.planning.facts import DeviceFacts
    from engine.planning.plan import DevicePlan, Fix, Plan, PlanMessage
    from engine.planning.protocol import Opened
    from engine.planning.truth import Truth
    from engine.telemetry.snapshot import Snapshot
    from engine.worker.protocol import ContextInfo

_GIB = float(1 << 30)
_TONES: dict[str, Tone] = {"no": "bad", "slow": "warn", "note": "plain"}
# Settings whose every value is checked against the rules, so that a bad one shows its reason.
_CHECKED = ("split_mode", "type_k", "type_v", "flash_attn")


def _tr(text: str) -> str:
    return QCoreApplication.translate("PlanViews", text)


def plan_view(
    plan: Plan,
    snapshot: Snapshot | None,
    *,
    learned: tuple[str, str] = ("", ""),
    off: Sequence[DeviceView] = (),
) -> DevicePlanView:
    """One bar per device of the plan, then those that are off, RAM last.

    `learned` is predicted against got.
    """
    lost = {gpu.pci_id for gpu in snapshot.gpus if gpu.lost} if snapshot else set()
    kinds = tuple(sorted(plan.kv_kinds.items()))
    bars = [_bar(device, kinds, plan, is_lost=device.id in lost) for device in plan.devices]
    bars += off
    bars.append(_bar(plan.host, kinds, plan, is_lost=False))
    words, tone = _summary(plan, learned[0])
    return DevicePlanView(
        devices=tuple(bars),
        summary=words,
        summary_tone=tone,
        summary_detail=learned[1],
        shares=_shares(plan),
        is_pending=not plan.is_final,
    )


def off_devices(opened: Opened | None, plan: Plan, nodes: Sequence[str]) -> tuple[DeviceView, ...]:
    """Devices that the plan leaves out, so that they can be switched on again.

    Args:
        opened: What the planner found on this machine.
        plan: The plan that is shown.
        nodes: Addresses of other machines' devices that were added.
    """
    if opened is None or any(device.imagined for device in plan.devices):
        return ()
    seen = {device.id for device in plan.devices}
    found = []
    for device in opened.devices:
        # One card through two backends is one card.
        if device.kind in ("gpu", "igpu") and device.id not in seen:
            seen.add(device.id)
            found.append(DeviceView(id=device.id, name=_name(device), is_on=False))
    others = (node for node in nodes if node not in seen)
    found += [DeviceView(id=node, name=node, kind="rpc", is_on=False) for node in others]
    return tuple(found)


def unplanned_view(devices: Sequence[str], problem: Problem) -> DevicePlanView:
    """The chosen devices where no plan can be made because one of them does not answer."""
    lost = problem.params.get("address")
    bars = [
        DeviceView(
            id=device,
            name=device,
            kind="rpc" if ":" in device else "gpu",
            is_unknown=True,
            is_lost=device == lost,
            problem=_tr("does not answer") if device == lost else "",
        )
        for device in devices
    ]
    ram = DeviceView(id="ram", name=_tr("RAM"), kind="ram", is_unknown=True)
    return DevicePlanView(
        devices=(*bars, ram),
        summary=_tr("{name} does not answer").format(name=lost),
        summary_tone="bad",
        summary_detail=problem.message,
    )


def _name(device: DevicePlan | DeviceFacts) -> str:
    return device.description or device.name


def _bar(
    place: DevicePlan, kinds: tuple[tuple[str, int], ...], plan: Plan, *, is_lost: bool
) -> DeviceView:
    is_ram = place.kind == "cpu"
    limit = None if place.total_bytes is None else place.total_bytes - place.reserve_bytes
    return DeviceView(
        id="ram" if is_ram else place.id,
        name=_tr("RAM") if is_ram else _name(place),
        kind="ram" if is_ram else "rpc" if place.kind == "rpc" else "gpu",
        total_bytes=place.total_bytes,
        # What a setting that cannot be loaded would take is not known.
        is_unknown=plan.is_refused,
        weights_bytes=place.weights_bytes,
        kv_bytes=place.kv_bytes,
        compute_bytes=place.compute_bytes,
        projector_bytes=place.projector_bytes or None,
        runtime_bytes=place.runtime_bytes + place.pool_bytes,
        other_bytes=place.other_bytes,
        limit_bytes=limit,
        kv_kinds=kinds if place.kv_bytes else (),
        is_lost=is_lost,
        is_what_if=place.imagined,
    )


def _summary(plan: Plan, learned: str) -> tuple[str, Tone]:
    if plan.is_refused:
        return _tr("cannot be loaded as set"), "bad"
    short = [
        (place, -(place.left_bytes or 0))
        for place in (*plan.devices, plan.host)
        if (place.left_bytes or 0) < 0
    ]
    if short:
        place, missing = max(short, key=lambda pair: pair[1])
        name = _tr("RAM") if place.kind == "cpu" else _name(place)
        words = _tr("{name} short by {gib:.1f} GiB").format(name=name, gib=missing / _GIB)
        return words, "bad"
    if learned:
        return learned, "plain"
    places = plan.devices or (plan.host,)
    needed = sum(place.needed_bytes for place in places)
    return _tr("needs {size}").format(size=gib(needed)), "plain"


def _shares(plan: Plan) -> tuple[int, ...]:
    """The split that really results, as small whole numbers."""
    if len(plan.devices) < 2:
        return ()
    parts = plan.parts or tuple(float(device.weights_bytes) for device in plan.devices)
    whole = sum(parts)
    return reduced(tuple(round(16 * part / whole) for part in parts)) if whole else ()


def account_words(plan: Plan, context: ContextInfo) -> tuple[str, str]:
    """Predicted against llama.cpp's account of the load, where no card can be read."""
    places = (*plan.devices, plan.host)
    predicted = sum(place.account_bytes for place in places) / _GIB
    rows = sum(r.weights_bytes + r.kv_bytes + r.compute_bytes for r in context.memory)
    if not rows or any(row.name.startswith("Meta(") for row in context.memory):
        # A live tensor split tells the fullest device alone.
        return "", ""
    got = (rows + sum(context.projector_bytes.values())) / _GIB
    words = _tr("predicted {predicted:.2f}, got {got:.2f} GiB")
    return (
        words.format(predicted=predicted, got=got),
        _tr("By llama.cpp's own account: there is no card to read."),
    )


def truth_words(truth: Truth) -> tuple[str, str]:
    """Predicted against got, and the tooltip with every device; empty without readings."""
    known = [device for device in truth.devices if device.got_bytes is not None]
    if not known:
        return "", ""
    predicted = sum(device.predicted_bytes for device in known) / _GIB
    got = sum(device.got_bytes or 0 for device in known) / _GIB
    lines = [
        f"{device.name}: {device.predicted_bytes / _GIB:.2f} → "
        f"{(device.got_bytes or 0) / _GIB:.2f} GiB"
        for device in known
    ]
    words = _tr("predicted {predicted:.1f}, got {got:.1f} GiB")
    return words.format(predicted=predicted, got=got), "\n".join(lines)


def rule_views(messages: tuple[PlanMessage, ...]) -> tuple[RuleView, ...]:
    """What the rules say, the gravest first."""
    return tuple(
        RuleView(
            code=message.code,
            sentence=message.problem.message,
            tone=_TONES[message.severity],
            fix=_change_words(message.change) if message.change else "",
            settings=(message.setting,) if message.setting else (),
        )
        for message in messages
    )


def fix_views(fixes: tuple[Fix, ...]) -> tuple[FixView, ...]:
    """The ladder, best first."""
    return tuple(
        FixView(
            id=str(index),
            title=fix.label,
            saved_bytes=fix.saved_bytes,
            detail="" if fix.fits else _tr("helps, but is not enough alone"),
        )
        for index, fix in enumerate(fixes)
    )


def _change_words(change: dict[str, object]) -> str:
    """What the button of a rule does, e.g. ``V type q8_0``."""
    words = []
    for name, value in change.items():
        info = info_for(EngineSettings, name)
        # What a plan carried to the window comes back with lists.
        told = shown(info, tuple(value) if isinstance(value, list) else value)
        words.append(f"{info.title}: {told}" if isinstance(value, bool) else f"{info.title} {told}")
    return " · ".join(words)


def hints(plan: Plan | None, opened: Opened | None, edited: EngineSettings) -> SettingHints:
    """What is known about the settings being edited."""
    if opened is None:
        return SettingHints()
    return SettingHints(
        max_n_ctx=plan.max_n_ctx if plan else None,
        n_ctx_train=opened.model.n_ctx_train or None,
        n_layers=opened.model.n_layer + 1 if opened.model.n_layer else None,
        problems=choice_problems(opened, edited),
        can_split=len(opened.chosen) > 1,
        can_fit=True,
    )


def choice_problems(opened: Opened, edited: EngineSettings) -> tuple[ChoiceProblem, ...]:
    """Values that would be refused if they were chosen now, each with its reason."""
    found = []
    for name in _CHECKED:
        for value in info_for(EngineSettings, name).choices:
            candidate = msgspec.structs.replace(edited, **{name: value})
            if problem_with(EngineSettings, name, value) is not None:
                continue
            for verdict in check(candidate, opened.model, opened.build, opened.chosen):
                if verdict.severity == "no" and verdict.setting == name:
                    reason = verdict.problem.message
                    found.append(ChoiceProblem(setting=name, value=value, reason=reason))
                    break
    return tuple(found)
