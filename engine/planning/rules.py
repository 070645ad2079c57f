"""Checks settings against the rules: on facts alone, while a value is dragged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.planning.case import Case, Verdict
from engine.planning.rule_table import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.planning.case import Rule
    from engine.planning.facts import BuildFacts, DeviceFacts, ModelFacts
    from engine.settings import EngineSettings

__all__ = ["Verdict", "check", "repaired", "worst"]


def check(
    settings: EngineSettings,
    model: ModelFacts,
    build: BuildFacts,
    devices: Sequence[DeviceFacts],
) -> tuple[Verdict, ...]:
    """What the rules say about settings, the gravest first. Takes well under a millisecond."""
    case = Case(settings, model, build, tuple(devices))
    order = ("no", "slow", "note")
    found = [verdict for rule in RULES if (verdict := _judged(rule, case))]
    return tuple(sorted(found, key=lambda verdict: order.index(verdict.severity)))


def _judged(rule: Rule, case: Case) -> Verdict | None:
    answer = rule.test(case)
    if answer is None or answer is False:
        return None
    return Verdict(
        code=rule.code,
        severity=rule.severity,
        setting=rule.setting,
        params={} if answer is True else answer,
        change=dict(rule.change(case)),
    )


def worst(verdicts: Sequence[Verdict]) -> Literal["ok", "slow", "no"]:
    """The verdict over all rules; a note leaves it ok."""
    severities = {verdict.severity for verdict in verdicts}
    if "no" in severities:
        return "no"
    return "slow" if "slow" in severities else "ok"


def repaired(
    settings: EngineSettings,
    model: ModelFacts,
    build: BuildFacts,
    devices: Sequence[DeviceFacts],
) -> EngineSettings:
    """The settings after the suggested changes, until no rule with a change says no."""
    for _ in range(8):
        changes = [
            verdict
            for verdict in check(settings, model, build, devices)
            if verdict.severity == "no" and verdict.change
        ]
        if not changes:
            break
        settings = changes[0].applied(settings)
    return settings
