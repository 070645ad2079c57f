"""Compares a plan with what a load really took, and learns from the difference.

The readings come from NVML (through the telemetry of whoever asks) and from the worker's own
account. `predicted 21.4, got 21.6 GiB` is this module's data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.planning.corrections import Corrections
    from engine.planning.facts import BuildFacts, DeviceFacts
    from engine.planning.plan import DevicePlan, Plan
    from engine.worker.protocol import DeviceMemory

_MIB = 1024 * 1024
_CLOSE_SHARE = 0.01
_CLOSE_BYTES = 64 * _MIB


class DeviceTruth(msgspec.Struct, frozen=True, kw_only=True):
    """One device: what was predicted and what it came to.

    Attributes:
        weights_off_bytes: llama.cpp's account of the weights less the plan's; likewise for the
            others. None where the worker gave no account of this device.
        got_bytes: What the card holds more than before the load; None without a reading.
    """

    name: str
    id: str
    predicted_bytes: int
    got_bytes: int | None = None
    weights_off_bytes: int | None = None
    kv_off_bytes: int | None = None
    compute_off_bytes: int | None = None

    @property
    def off_bytes(self) -> int | None:
        """How far the plan was off; positive when more was taken."""
        return None if self.got_bytes is None else self.got_bytes - self.predicted_bytes

    @property
    def is_close(self) -> bool | None:
        """Within 1 % or 64 MiB; None without a reading."""
        off = self.off_bytes
        if off is None:
            return None
        return abs(off) <= max(_CLOSE_BYTES, self.predicted_bytes * _CLOSE_SHARE)


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """A plan beside what happened.

    Attributes:
        stage: ``load`` after the load, ``prefill`` after a prompt was read.
        devices: In the plan's order.
    """

    stage: str
    devices: tuple[DeviceTruth, ...]


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """Used bytes of the cards by PCI id, as NVML tells them.

    Attributes:
        is_difference: The engine ran before the load, so that `before` holds its context already:
            the backend's own memory does not show.
    """

    is_difference: bool = False
    before: dict[str, int] = {}
    after_load: dict[str, int] = {}
    after_prefill: dict[str, int] = {}


def compared(plan: Plan, memory: Sequence[DeviceMemory], readings: Readings) -> Truth:
    """A plan beside the worker's account and NVML's readings."""
    stage = "prefill" if readings.after_prefill else "load"
    now = readings.after_prefill or readings.after_load
    accounts = _accounts(memory)
    whole = next((row for row in memory if row.name.startswith("Meta(")), None)
    fullest = max((d.weights_bytes + d.kv_bytes for d in plan.devices), default=0)
    predicted = [_predicted(device, stage, readings) for device in plan.devices]
    rows = []
    for device, wanted in zip(plan.devices, predicted, strict=True):
        account = accounts.get(device.name)
        if account is None and whole and device.weights_bytes + device.kv_bytes == fullest:
            # A tensor split's account is one row, that of the fullest device.
            account = whole
        on_card = sum(
            size
            for other, size in zip(plan.devices, predicted, strict=True)
            if other.card == device.card
        )
        got = _grown(readings.before, now, device.card)
        if got is not None and on_card:
            # Virtual devices of one card share it by prediction.
            got = round(got * wanted / on_card)
        rows.append(_row(device, wanted, got, account))
    return Truth(stage=stage, devices=tuple(rows))


def _predicted(device: DevicePlan, stage: str, readings: Readings) -> int:
    predicted = device.needed_bytes
    if stage == "load":
        # What a pool takes comes with the first prompt.
        predicted -= device.pool_bytes
    if readings.is_difference:
        predicted -= device.runtime_bytes
    return predicted


def learn(
    plan: Plan,
    chosen: Sequence[DeviceFacts],
    build: BuildFacts,
    readings: Readings,
    corrections: Corrections,
) -> None:
    """Take in what the cards held beyond llama.cpp's account.

    Args:
        plan: The plan of the load, made before it.
        chosen: The devices' facts, for the name of the card.
        build: The build whose context and pools these are.
        readings: NVML's figures; without `before` nothing is learned.
        corrections: Where it is kept.
    """
    tensor = plan.settings.split_mode == "tensor" and len(plan.devices) > 1
    # Virtual devices of one card are told apart by llama.cpp alone: NVML sees the card.
    cards = {device.card: device.uuid or device.card for device in chosen if device.kind == "gpu"}
    for identity, card in cards.items():
        before, after = readings.before.get(identity), readings.after_load.get(identity)
        holding = [
            device.account_bytes
            for device in plan.devices
            if device.card == identity and device.account_bytes
        ]
        if before is None or after is None or not holding:
            continue
        runtime_bytes = after - before - sum(holding)
        if not readings.is_difference:
            corrections.learn_runtime(card, build.id, runtime_bytes, tensor=tensor)
        later = readings.after_prefill.get(identity)
        if later is not None:
            each = (later - after) // len(holding)
            corrections.learn_pool(card, build.id, each, tensor=tensor)


def _accounts(memory: Sequence[DeviceMemory]) -> Mapping[str, DeviceMemory]:
    # Pinned host memory goes by the name of the device that it is pinned for.
    return {row.name: row for row in memory if row.id != "cpu"}


def _grown(before: Mapping[str, int], now: Mapping[str, int], card: str) -> int | None:
    """What a card holds more than before."""
    return now[card] - before[card] if card in before and card in now else None


def _row(
    device: DevicePlan, predicted: int, got: int | None, account: DeviceMemory | None
) -> DeviceTruth:
    return DeviceTruth(
        name=device.name,
        id=device.id,
        predicted_bytes=predicted,
        got_bytes=got,
        weights_off_bytes=account.weights_bytes - device.weights_bytes if account else None,
        kv_off_bytes=account.kv_bytes - device.kv_bytes if account else None,
        compute_off_bytes=account.compute_bytes - device.compute_bytes if account else None,
    )
