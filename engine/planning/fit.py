"""Finds settings for a goal: the longest context, the fastest answer, or the best quality.

Every candidate is a dry run, so this works for each split mode, tensor split included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.errors import UserError
from engine.planning.facts import WITHOUT_TENSOR_SPLIT
from engine.planning.search import first_that_fits, room_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.planning.facts import Scene
    from engine.planning.plan import Plan
    from engine.planning.planner import Planner
    from engine.planning.protocol import Goal
    from engine.settings import EngineSettings

_QUALITY = ("f16", "q8_0", "q5_1", "q4_0")
_USUAL = ("f16", "q8_0", "q4_0")
_SHORTEST_USEFUL = 4096
# A CPU is busy with few tokens; more in one go take their buffer and are no faster.
_SIZES_CPU = (512, 256)
_SIZES_GPU = (1024, 512, 256)


def fitted(planner: Planner, settings: EngineSettings, scene: Scene, goal: Goal) -> Plan:
    """The plan of the best settings for a goal.

    Raises:
        UserError: ``planning.no_fit`` when nothing fits.
    """
    search = _Search(planner, scene)
    settings = msgspec.structs.replace(
        settings, n_gpu_layers=-1, n_cpu_moe=0, tensor_split=(), flash_attn="auto", swa_full=False
    )
    found = {
        "context": search.longest_context,
        "speed": search.fastest,
        "quality": search.best_quality,
    }[goal](settings)
    if found is None:
        raise UserError("planning.no_fit")
    return search.final(found)


class _Search:
    """One search; all candidates are measured against the same scene."""

    def __init__(self, planner: Planner, scene: Scene) -> None:
        self._planner = planner
        self._scene = scene

    def final(self, settings: EngineSettings) -> Plan:
        """The full plan of what was found."""
        plans = list(self._planner.plans(settings, self._scene, brief=False))
        return plans[-1]

    def longest_context(self, settings: EngineSettings) -> EngineSettings | None:
        """The most tokens; a better cache type or a faster split wins where they reach as far."""
        best: tuple[int, EngineSettings] | None = None
        for n_ubatch in dict.fromkeys((settings.n_ubatch, 256)):
            for candidate in self._splits(msgspec.structs.replace(settings, n_ubatch=n_ubatch)):
                for kv_type in _USUAL:
                    typed = _typed(candidate, kv_type)
                    n_ctx = self._planner.max_n_ctx(typed, self._scene)
                    if n_ctx and (best is None or n_ctx > best[0]):
                        best = n_ctx, msgspec.structs.replace(typed, n_ctx=n_ctx)
        if best is not None and best[0] >= min(_SHORTEST_USEFUL, self._trained(settings)):
            return best[1]
        short = msgspec.structs.replace(settings, n_ctx=min(8192, self._trained(settings)))
        return self._spilled(_typed(short, "q8_0")) or (best[1] if best else None)

    def fastest(self, settings: EngineSettings) -> EngineSettings | None:
        """The fastest at this context: all on the GPUs, tensor split before layer, f16 first."""
        devices = self._planner.chosen(settings, self._scene)
        sizes = _SIZES_GPU if devices else _SIZES_CPU
        for candidate in self._splits(settings):
            for kv_type in _USUAL:
                typed = _typed(candidate, kv_type)
                for n_ubatch in sizes:
                    sized = msgspec.structs.replace(
                        typed, n_ubatch=n_ubatch, n_batch=max(2048, settings.n_batch)
                    )
                    if self._fits(sized):
                        return sized
        return self._spilled(_typed(settings, "q8_0"))

    def best_quality(self, settings: EngineSettings) -> EngineSettings | None:
        """The most exact cache at this context; micro-batches shrink before precision does."""
        for kv_type in _QUALITY:
            for candidate in self._splits(_typed(settings, kv_type)):
                for n_ubatch in dict.fromkeys((settings.n_ubatch, 256)):
                    sized = msgspec.structs.replace(candidate, n_ubatch=n_ubatch)
                    if self._fits(sized):
                        return sized
        return self._spilled(_typed(settings, "f16"))

    def _splits(self, settings: EngineSettings) -> Iterator[EngineSettings]:
        """The split modes that make sense here, the faster one first."""
        model = self._planner.model(settings)
        devices = self._planner.chosen(settings, self._scene)
        if len(devices) < 2:
            # One device, or none: a split only adds work.
            yield msgspec.structs.replace(settings, split_mode="layer")
            return
        slow_link = self._planner.build().has_nccl is False or any(
            device.kind == "rpc" and not device.imagined for device in devices
        )
        modes = ["layer"]
        if model.architecture not in WITHOUT_TENSOR_SPLIT:
            modes.insert(1 if slow_link else 0, "tensor")
        for mode in modes:
            yield msgspec.structs.replace(settings, split_mode=mode)

    def _spilled(self, settings: EngineSettings) -> EngineSettings | None:
        """With some weights in RAM: experts of as few layers, else as many whole layers as fit."""
        model = self._planner.model(settings)
        settings = msgspec.structs.replace(settings, split_mode="layer")
        if model.n_expert:

            def experts(layers: int) -> EngineSettings:
                return msgspec.structs.replace(settings, n_cpu_moe=layers)

            found = first_that_fits(lambda n: self._fits(experts(n)), 1, model.n_layer)
            if found is not None:
                return experts(found)

        def left_out(layers: int) -> EngineSettings:
            return msgspec.structs.replace(settings, n_gpu_layers=model.n_layer + 1 - layers)

        found = first_that_fits(lambda n: self._fits(left_out(n)), 1, model.n_layer + 1)
        if found is not None:
            return left_out(found)
        on_cpu = msgspec.structs.replace(settings, devices=("cpu",), n_gpu_layers=-1)
        return on_cpu if self._fits(on_cpu) else None

    def _fits(self, settings: EngineSettings) -> bool:
        plan = self._planner.bars(settings, self._scene)
        return not plan.is_refused and room_bytes(plan) >= 0

    def _trained(self, settings: EngineSettings) -> int:
        return self._planner.model(settings).n_ctx_train or _SHORTEST_USEFUL


def _typed(settings: EngineSettings, kv_type: str) -> EngineSettings:
    return msgspec.structs.replace(settings, type_k=kv_type, type_v=kv_type)
