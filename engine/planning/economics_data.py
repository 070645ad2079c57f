"""Context economics as data: what a longer context costs, by KV type, on given devices."""

from __future__ import annotations

import msgspec


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Memory against context for one KV type.

    Attributes:
        kv_type: Type of K and V.
        n_ctx: Context lengths, rising.
        total_bytes: Weights, KV, compute and runtime over all devices, at each length.
        kv_bytes: The KV cache alone.
        kv_bytes_per_token: What one more token costs where the curve is straight.
        max_n_ctx: Longest context that fits on these devices; 0 when none does.
        refused: Code of the rule that forbids this type; empty when it is allowed.
    """

    kv_type: str
    n_ctx: tuple[int, ...] = ()
    total_bytes: tuple[int, ...] = ()
    kv_bytes: tuple[int, ...] = ()
    kv_bytes_per_token: float = 0.0
    max_n_ctx: int = 0
    refused: str = ""


class Economics(msgspec.Struct, frozen=True, kw_only=True):
    """The curves of one model on one set of devices.

    Attributes:
        reason: Code of the sentence that says why the KV cache is as large as it is.
        imagined: The devices are not in this machine.
    """

    model: str
    architecture: str
    reason: str
    devices: tuple[str, ...]
    available_bytes: int | None
    n_ctx_train: int
    curves: tuple[Curve, ...]
    imagined: bool = False
