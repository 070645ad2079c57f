"""Turns what the plan knows into hints and problems per setting, for the generated editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets.settings.hints import ValueHint

if TYPE_CHECKING:
    from widgets.engine_pane.viewdata import DevicePlanView, RuleView, SettingHints


def hints_for(known: SettingHints, plan: DevicePlanView) -> dict[str, ValueHint]:
    """Hints by setting name."""
    on = [device for device in plan.devices if device.is_on and device.kind != "ram"]
    hints = {
        "n_ctx": ValueHint(limit=known.max_n_ctx, top=known.n_ctx_train),
        "n_gpu_layers": ValueHint(top=known.n_layers),
        "tensor_split": ValueHint(
            parts=len(on) if known.can_split else 0,
            shares=plan.shares,
            steps=plan.share_steps,
        ),
    }
    for name in {problem.setting for problem in known.problems}:
        refused = tuple((p.value, p.reason) for p in known.problems if p.setting == name)
        hints[name] = ValueHint(refused=refused)
    return hints


def problems_for(rules: tuple[RuleView, ...]) -> dict[str, str]:
    """The sentence of the first bad rule that names a setting, by setting name."""
    found: dict[str, str] = {}
    for rule in rules:
        if rule.tone == "bad":
            for name in rule.settings:
                found.setdefault(name, rule.sentence)
    return found
