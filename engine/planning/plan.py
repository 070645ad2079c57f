"""A plan: what settings would take on each device, whether it fits, and what to do if not."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from engine.errors import Params, Problem
from engine.planning.case import Severity, Verdict
from engine.planning.facts import card_of
from engine.settings import EngineSettings

Answer = Literal["ok", "slow", "no"]


class DevicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One device, or the host's RAM.

    Attributes:
        projector_bytes: A vision projector: its weights and its scratch space.
        runtime_bytes: The backend's own memory (a CUDA context and its libraries).
        pool_bytes: Scratch memory that the backend takes while it computes.
        other_bytes: What other programs hold; None when free or total is not known.
        free_bytes: What a load may take: free now, plus what this app would give back first.
        reserve_bytes: What a plan leaves free.
        imagined: The device is not in this machine.
    """

    name: str
    id: str
    description: str = ""
    kind: str = "gpu"
    weights_bytes: int = 0
    kv_bytes: int = 0
    compute_bytes: int = 0
    projector_bytes: int = 0
    runtime_bytes: int = 0
    pool_bytes: int = 0
    other_bytes: int | None = None
    free_bytes: int | None = None
    total_bytes: int | None = None
    reserve_bytes: int = 0
    imagined: bool = False

    @property
    def card(self) -> str:
        """The id of the card, which several virtual devices may share."""
        return card_of(self.id)

    @property
    def account_bytes(self) -> int:
        """What llama.cpp itself accounts for."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.projector_bytes

    @property
    def needed_bytes(self) -> int:
        """Everything the load would hold here."""
        return self.account_bytes + self.runtime_bytes + self.pool_bytes

    @property
    def left_bytes(self) -> int | None:
        """What would stay free; negative when it does not fit. None when not known."""
        return None if self.free_bytes is None else self.free_bytes - self.needed_bytes


class PlanMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence about the plan, with a change that would help where there is one."""

    code: str
    severity: Severity
    setting: str = ""
    params: Params = {}
    change: dict[str, Any] = {}

    @classmethod
    def of(cls, verdict: Verdict) -> PlanMessage:
        """A rule's verdict as a message."""
        return cls(
            code=verdict.code,
            severity=verdict.severity,
            setting=verdict.setting,
            params=verdict.params,
            change=verdict.change,
        )

    @property
    def problem(self) -> Problem:
        """The sentence and its fix."""
        return Problem(code=self.code, params=self.params)


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One way to make a plan fit.

    Attributes:
        code: Names it in words, with `params`.
        change: The settings to replace.
        saved_bytes: What it frees on the fullest device.
        fits: It is enough on its own.
    """

    code: str
    params: Params = {}
    change: dict[str, Any]
    saved_bytes: int
    fits: bool

    @property
    def label(self) -> str:
        """What it does, in words."""
        return Problem(code=self.code, params=self.params).message


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one setting.

    Attributes:
        settings: What was asked.
        n_ctx: Tokens the context would hold.
        kv_kinds: Bytes of the KV cache by kind, over all devices and the host.
        kv_bytes_per_token: What one more token costs; None until measured.
        max_n_ctx: Largest context that fits with the other settings; None until measured, 0 when
            none fits.
        parts: The share of the divided weights each device really gets in a tensor split.
        shares: What a layer split without a ratio was divided by; a load divides by the same.
        read_bytes: Bytes to read from disk.
        load_s: Seconds a load takes at the speed of earlier loads; None before the first.
        fixes: Ways to make it fit, best first.
        is_final: False while the slower figures are still being measured.
    """

    settings: EngineSettings
    n_ctx: int = 0
    devices: tuple[DevicePlan, ...] = ()
    host: DevicePlan = DevicePlan(name="RAM", id="cpu", kind="cpu")
    kv_kinds: dict[str, int] = {}
    kv_bytes_per_token: float | None = None
    max_n_ctx: int | None = None
    verdict: Answer = "ok"
    messages: tuple[PlanMessage, ...] = ()
    parts: tuple[float, ...] = ()
    shares: tuple[int, ...] = ()
    read_bytes: int = 0
    load_s: float | None = None
    fixes: tuple[Fix, ...] = ()
    is_final: bool = True
    seconds: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether it fits, by what is known of free memory."""
        return all((place.left_bytes or 0) >= 0 for place in (*self.devices, self.host))

    @property
    def is_refused(self) -> bool:
        """Whether it would fail whatever memory there is."""
        return any(
            message.severity == "no" and not message.code.startswith("planning.over")
            for message in self.messages
        )


def as_json(plan: Plan) -> dict[str, Any]:
    """The stable form that `leadline plan --json` prints."""
    return {
        "devices": [_place_json(device) for device in plan.devices],
        "host": _place_json(plan.host),
        "kv_kinds": plan.kv_kinds,
        "kv_bytes_per_token": plan.kv_bytes_per_token,
        "verdict": plan.verdict,
        "messages": [
            {
                "code": message.code,
                "severity": message.severity,
                "message": message.problem.message,
                "fix": message.problem.fix,
                "change": message.change,
            }
            for message in plan.messages
        ],
        "max_n_ctx": plan.max_n_ctx,
        "n_ctx": plan.n_ctx,
        "parts": plan.parts,
        "read_bytes": plan.read_bytes,
        "load_s": plan.load_s,
        "fixes": [
            {
                "label": fix.label,
                "change": fix.change,
                "saved_bytes": fix.saved_bytes,
                "fits": fix.fits,
            }
            for fix in plan.fixes
        ],
    }


def _place_json(place: DevicePlan) -> dict[str, Any]:
    return {
        "name": place.name,
        "id": place.id,
        "description": place.description,
        "weights_bytes": place.weights_bytes,
        "kv_bytes": place.kv_bytes,
        "compute_bytes": place.compute_bytes,
        "projector_bytes": place.projector_bytes,
        "runtime_bytes": place.runtime_bytes,
        "pool_bytes": place.pool_bytes,
        "other_bytes": place.other_bytes,
        "free_bytes": place.free_bytes,
        "total_bytes": place.total_bytes,
        "left_bytes": place.left_bytes,
        "imagined": place.imagined,
    }
