"""What the engine pane shows, as plain frozen data. Nothing here knows Qt or the engine process.

The application builds these from the engine's events, the planner's answers and telemetry, and
hands them to `EnginePane`. `None` is unknown and is shown as unknown, never as 0. Settings come
and go as `engine.settings` values.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ModelState = Literal[
    "none", "unloaded", "loading", "ready", "reading", "writing", "ejecting", "died", "measuring"
]
DeviceKind = Literal["gpu", "ram", "rpc"]
Tone = Literal["plain", "ok", "warn", "bad"]
Phase = Literal["idle", "load", "read", "write"]
Goal = Literal["context", "speed", "quality"]
Verdict = Literal["ok", "slow", "no", "unknown"]


class LoadProgressView(msgspec.Struct, frozen=True):
    """How far a load is.

    Attributes:
        words: What is being done, e.g. ``"Reading weights"``.
        fraction: 0 to 1, or None while it cannot be told.
        seconds_left: Estimate; None while there is none.
    """

    words: str
    fraction: float | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    elapsed_s: float | None = None
    seconds_left: float | None = None


class ModelCardView(msgspec.Struct, frozen=True):
    """The model at the top of the pane.

    Attributes:
        name: Empty when no model was ever chosen.
        words: The state in words, e.g. ``"Ready · 2 GPUs, tensor split · KV q8_0"``.
        tone: Colour of the state's dot.
        progress: While loading.
        detail: Lines for the tooltip: file, architecture, parameters, template.
        build: Which backend the engine runs, e.g. ``"CPU build"``; with `build_help` as tooltip.
    """

    name: str = ""
    state: ModelState = "none"
    words: str = ""
    tone: Tone = "plain"
    progress: LoadProgressView | None = None
    detail: str = ""
    build: str = ""
    build_help: str = ""


class ModelFileView(msgspec.Struct, frozen=True):
    """A model file that can be loaded.

    Attributes:
        path: Identifies it.
        source: Where it was found: ``"Demo"``, ``"Recent"``, ``"LM Studio"``, a folder's name …
        n_ctx_train: Context it was trained for.
        problem: A sentence when it cannot be loaded; it stays visible.
    """

    path: str
    name: str
    source: str
    size_bytes: int | None = None
    quantization: str = ""
    architecture: str = ""
    n_ctx_train: int | None = None
    is_loaded: bool = False
    problem: str = ""


class DeviceView(msgspec.Struct, frozen=True):
    """One device of the plan. Bytes are what the plan predicts, or the engine's own account.

    Attributes:
        id: PCI id, RPC address or ``"ram"``; what settings name the device by.
        name: Model of the card, e.g. ``"RTX 3090"``.
        projector_bytes: A vision projector beside the model.
        runtime_bytes: The driver's context and pools.
        other_bytes: Taken by other programs.
        limit_bytes: Where the plan must end: total less the headroom.
        kv_kinds: KV by kind, e.g. ``(("attention", …), ("SWA", …))``, for the tooltip.
        is_on: Switched on for the model. Off devices stay in the list.
        is_lost: It stopped answering; `problem` says so in a sentence.
        is_unknown: What it would hold is not known: the settings cannot be loaded.
        is_what_if: Computed without the device being there.
    """

    id: str
    name: str
    kind: DeviceKind = "gpu"
    total_bytes: int | None = None
    weights_bytes: int | None = None
    kv_bytes: int | None = None
    compute_bytes: int | None = None
    projector_bytes: int | None = None
    runtime_bytes: int | None = None
    other_bytes: int | None = None
    limit_bytes: int | None = None
    kv_kinds: tuple[tuple[str, int], ...] = ()
    is_on: bool = True
    is_lost: bool = False
    is_unknown: bool = False
    is_what_if: bool = False
    problem: str = ""

    @property
    def planned_bytes(self) -> int | None:
        """Everything that is in use, or None when nothing is known."""
        if self.is_unknown:
            return None
        parts = [
            self.weights_bytes,
            self.kv_bytes,
            self.compute_bytes,
            self.projector_bytes,
            self.runtime_bytes,
            self.other_bytes,
        ]
        known = [part for part in parts if part is not None]
        return sum(known) if known else None

    @property
    def short_bytes(self) -> int:
        """By how much it does not fit, 0 when it fits or is unknown."""
        planned = self.planned_bytes
        bound = self.limit_bytes if self.limit_bytes is not None else self.total_bytes
        return max(0, planned - bound) if planned is not None and bound is not None else 0


class DeviceLiveView(msgspec.Struct, frozen=True):
    """What telemetry reads from one device just now.

    Attributes:
        used_bytes: In use by everybody, NVML's or the system's figure.
        app_bytes: This app's own share.
        note: A short addition, e.g. ``"other programs 2.1 GiB"``.
    """

    id: str
    used_bytes: int | None = None
    app_bytes: int | None = None
    busy_percent: float | None = None
    bandwidth_percent: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    pcie: str = ""
    pcie_rx_bytes_per_s: float | None = None
    pcie_tx_bytes_per_s: float | None = None
    note: str = ""


class DevicePlanView(msgspec.Struct, frozen=True):
    """All devices, in the order the model uses them.

    Attributes:
        summary: Right of the heading, e.g. ``"predicted 10.9, got 10.9 GiB"``.
        shares: The split that will really result, one per device that is on; empty where there
            is nothing to split.
        share_steps: Into how many steps the dragged split divides (the granule).
        is_pending: A newer plan is being computed.
    """

    devices: tuple[DeviceView, ...] = ()
    summary: str = ""
    summary_tone: Tone = "plain"
    summary_detail: str = ""
    shares: tuple[int, ...] = ()
    share_steps: int = 16
    is_pending: bool = False


class FixView(msgspec.Struct, frozen=True):
    """A row of the ladder: one way to make it fit.

    Attributes:
        id: Comes back in ``fix_requested``.
        saved_bytes: Per GPU; None when it cannot be told.
        detail: A second line, e.g. ``"quality: 0.0004 KL, measured"``.
        is_possible: A fix that the app cannot do itself (closing another program) is only shown.
    """

    id: str
    title: str
    saved_bytes: int | None = None
    detail: str = ""
    is_possible: bool = True


class RuleView(msgspec.Struct, frozen=True):
    """A rule that speaks about the settings as they stand, or a suggestion.

    Attributes:
        code: Comes back in ``rule_fix_requested``.
        sentence: What is wrong or slow.
        fix: Label of the button; empty for none.
        settings: Names of the settings it is about: their rows are marked.
    """

    code: str
    sentence: str
    tone: Tone = "plain"
    fix: str = ""
    settings: tuple[str, ...] = ()


class ChoiceProblem(msgspec.Struct, frozen=True):
    """A value of a setting that cannot be used now; it stays visible with its reason."""

    setting: str
    value: str
    reason: str


class ApplyView(msgspec.Struct, frozen=True):
    """What the apply button says and whether it can be pressed.

    Attributes:
        label: E.g. ``"Apply · 0.3 s"`` or ``"Load"``; empty lets the pane write it from the cost.
        detail: Tooltip: what applying will do.
    """

    label: str = ""
    is_possible: bool = True
    detail: str = ""


class SettingHints(msgspec.Struct, frozen=True):
    """What the plan knows about the settings being edited.

    Attributes:
        max_n_ctx: The largest context that fits: the tick on the slider.
        n_ctx_train: What the model was trained for: the slider's end.
        n_layers: Layers of the model and its output: what can go to the GPUs.
        problems: Values that cannot be used now.
        can_split: More than one device is on.
        can_fit: Whether the fit buttons can be pressed.
    """

    max_n_ctx: int | None = None
    n_ctx_train: int | None = None
    n_layers: int | None = None
    problems: tuple[ChoiceProblem, ...] = ()
    can_split: bool = False
    can_fit: bool = False


class ProfilesView(msgspec.Struct, frozen=True):
    """Saved settings of the chosen model."""

    names: tuple[str, ...] = ()
    chosen: str = ""


class SpeedSample(msgspec.Struct, frozen=True):
    """One reading of the engine's speed.

    Attributes:
        at_s: A monotonic clock; idle time between samples is left out of the plot.
        tokens_per_second: None while a model is loaded and where it is unknown.
    """

    at_s: float
    phase: Phase
    tokens_per_second: float | None = None
