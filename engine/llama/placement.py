"""Which of the chosen devices a model really goes to, checked before llama.cpp is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.devices import Device
    from engine.settings import EngineSettings


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
