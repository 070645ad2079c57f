"""Which of the chosen devices a model really goes to, checked before llama.cpp is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.devices import Device
    from engine.settings import EngineSettings

_MIB = 1024 * 1024


def placed(settings: EngineSettings, devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices that will hold a model; none for the CPU alone.

    Raises:
        UserError: The split does not go with these devices. llama.cpp would refuse it with a null
            pointer, or take fewer shares than there are devices without a word.
    """
    if settings.split_mode == "tensor" and not devices:
        raise UserError("engine.tensor_split_needs_devices")
    if settings.split_mode == "none" and devices:
        if settings.main_gpu >= len(devices):
            raise UserError("engine.main_gpu", position=settings.main_gpu, devices=len(devices))
        return (devices[settings.main_gpu],)
    shares = settings.tensor_split
    if shares and devices and (len(shares) != len(devices) or min(shares) < 0 or not any(shares)):
        raise UserError(
            "engine.split_ratio", shares=",".join(map(str, shares)), devices=len(devices)
        )
    return tuple(devices)


def divided(settings: EngineSettings, shares: Sequence[int]) -> EngineSettings:
    """Settings with the ratio that a layer split without one is to come to.

    llama.cpp would divide by what is free when the model is opened, and memory that changed since
    the plan would move a layer.
    """
    if settings.split_mode != "layer" or settings.tensor_split or not any(shares):
        return settings
    return replace(settings, tensor_split=tuple(shares))


def shares_of(free_bytes: Sequence[int], *, taken_bytes: int = 0) -> tuple[int, ...]:
    """What a layer split divides by: free memory in MiB, so that it stays exact as a float.

    Args:
        free_bytes: Of each device; none or a single one is no split.
        taken_bytes: What a projector takes of the first device.
    """
    if len(free_bytes) < 2:
        return ()
    left = (free_bytes[0] - taken_bytes, *free_bytes[1:])
    return tuple(max(0, size // _MIB) for size in left)
