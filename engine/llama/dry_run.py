"""Measures what settings would take without allocating it: llama.cpp's own answer, in milliseconds.

A model opened with `no_alloc` holds its header and no weights. Each candidate setting then makes a
context that only measures. A few such models stay open, so that a dragged slider meets one.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.errors import UserError
from engine.llama.breakdown import BreakdownRow, kv_caches, kv_kinds, memory_breakdown
from engine.llama.division import F32, Cache
from engine.llama.draft_settings import draft_settings
from engine.llama.failures import context_failure
from engine.llama.library import api, log_sink
from engine.llama.measured_model import MeasuredModel
from engine.llama.parameters import KV_TYPES, context_parameters
from engine.llama.placement import divided, placed, shares_of
from engine.llama.projector_plan import ProjectorPlan
from engine.llama.scheduler import measured_compute
from engine.llama.skeleton import skeleton_of
from engine.planning.draft_pair import check_draft
from engine.planning.header import read_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.devices import Devices
    from engine.llama.projector import ProjectorShare
    from engine.settings import EngineSettings

_OPEN_MODELS = 4
# What decides how a model is opened; everything else only changes its context.
_MODEL_FIELDS = ("split_mode", "tensor_split", "main_gpu", "n_gpu_layers", "n_cpu_moe")


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one device, or the host, would hold."""

    weights_bytes: int = 0
    kv_bytes: int = 0
    compute_bytes: int = 0
    projector_bytes: int = 0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one setting.

    Attributes:
        devices: One per chosen device, in order.
        host: RAM: what stays on the CPU, and buffers to exchange data with devices.
        kv_kinds: Bytes of the KV cache by kind, over all devices.
        n_ctx: Tokens the context would hold.
        parts: In a tensor split, the share of the divided weights each device really gets.
        shares: What a layer split without a ratio was divided by.
    """

    devices: tuple[Share, ...]
    host: Share
    kv_kinds: dict[str, int]
    n_ctx: int
    parts: tuple[float, ...] = ()
    shares: tuple[int, ...] = ()


class DryRun:
    """Answers settings for one model file. Lives on the planner's main thread.

    Attributes:
        path: The file, as it was asked for.
        header: What the file's header says.
    """

    def __init__(self, path: str, devices: Devices) -> None:
        """Read the header.

        Raises:
            UserError: The file is missing, incomplete or no model.
        """
        self.path = path
        self.header = read_header(Path(path).expanduser())
        self._devices = devices
        facts = self.header.facts
        # llama.cpp finds the other parts of a split model by the name of the first.
        is_whole = facts.parts == 1 and facts.n_vocab
        self._skeleton = skeleton_of(Path(facts.path)) if is_whole else None
        self._open: OrderedDict[tuple[object, ...], MeasuredModel] = OrderedDict()
        self._draft: DryRun | None = None
        self._projector = ProjectorPlan(devices)

    def close(self) -> None:
        """Close all models."""
        for model in self._open.values():
            model.close()
        self._open.clear()
        if self._draft is not None:
            self._draft.close()
        if self._skeleton is not None:
            self._skeleton.close()

    def measure(
        self,
        settings: EngineSettings,
        *,
        free_bytes: Sequence[int] = (),
        shares: tuple[int, ...] = (),
    ) -> Measured:
        """What a load with these settings would take.

        Args:
            settings: The candidate.
            free_bytes: For a layer split without a ratio: what each device has free.
            shares: The same as a ratio that is settled already.

        Raises:
            UserError: llama.cpp refuses the settings.
        """
        projector = self._projector.share(settings)
        taken_bytes = projector.device_bytes if projector is not None else 0
        by_shares = divided(settings, shares or shares_of(free_bytes, taken_bytes=taken_bytes))
        model = self._model(by_shares)
        if projector is not None:
            self._projector.check_width(settings, projector, model.n_embd)
        # A measured context has no threads to start.
        parameters = context_parameters(settings, threads=1, threads_batch=1)
        log_sink.mark()
        context = api().llama_init_from_model(model.handle, parameters.struct)
        if not context:
            n_ctx = settings.n_ctx or self.header.facts.n_ctx_train
            raise context_failure(log_sink.complaints(), n_ctx)
        try:
            measured = _measured(model, settings, context)
        finally:
            api().llama_free(context)
        if by_shares is not settings:
            measured = msgspec.structs.replace(measured, shares=by_shares.tensor_split)
        if projector is not None:
            measured = _with_projector(measured, projector)
        return self._with_draft(measured, settings) if settings.draft_model else measured

    def _with_draft(self, measured: Measured, settings: EngineSettings) -> Measured:
        """Add what a draft model takes, where it goes to devices of the model or stays in RAM."""
        devices = placed(settings, self._devices.chosen(settings.devices))
        own = draft_settings(settings, devices)
        check_draft(settings)
        if self._draft is None or self._draft.path != own.model_path:
            if self._draft is not None:
                self._draft.close()
            self._draft = DryRun(own.model_path, self._devices)
        draft = self._draft.measure(own)
        places = [device.handle for device in self._devices.chosen(own.devices)]
        shares = dict(zip(places, draft.devices, strict=True))
        return msgspec.structs.replace(
            measured,
            devices=tuple(
                _sum(share, shares.get(device.handle, Share()))
                for share, device in zip(measured.devices, devices, strict=True)
            ),
            host=_sum(measured.host, draft.host),
        )

    def _model(self, settings: EngineSettings) -> MeasuredModel:
        devices = self._devices.chosen(settings.devices)
        key = (
            tuple(device.handle for device in devices),
            *(getattr(settings, name) for name in _MODEL_FIELDS),
        )
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        path = self._skeleton.path if self._skeleton else self.header.facts.path
        model = MeasuredModel(self.header, path, settings, devices)
        self._open[key] = model
        while len(self._open) > _OPEN_MODELS:
            self._open.popitem(last=False)[1].close()
        return model


def _measured(model: MeasuredModel, settings: EngineSettings, context: int) -> Measured:
    rows = memory_breakdown(context, compute=measured_compute(context))
    if not rows:
        raise UserError("planning.refused", reason="this platform does not tell memory sizes")
    names = [device.info.name for device in model.devices]
    # Pinned host memory (CUDA_Host) names the device it is pinned for, and is RAM all the same.
    on_device = {
        name: [row for row in rows if row.device_name == name and not row.is_host] for name in names
    }
    meta = [row for row in rows if row.buffer.startswith("Meta(")]
    host = [
        row for row in rows if row not in meta and (row.is_host or row.device_name not in on_device)
    ]
    kinds = kv_kinds(context)
    if meta:
        devices = _divided(model, settings, context, meta)
        kinds = _kinds_of_all(kinds, devices, host)
    else:
        devices = tuple(_share(on_device[name]) for name in names)
    return Measured(
        devices=devices,
        host=_share(host),
        kv_kinds=kinds,
        n_ctx=int(api().llama_n_ctx(context)),
        parts=model.parts,
    )


def _with_projector(measured: Measured, projector: ProjectorShare) -> Measured:
    devices = list(measured.devices)
    if devices:
        taken = projector.device_bytes
        devices[0] = msgspec.structs.replace(devices[0], projector_bytes=taken)
    host = msgspec.structs.replace(measured.host, projector_bytes=projector.host_bytes)
    return msgspec.structs.replace(measured, devices=tuple(devices), host=host)


def _sum(one: Share, other: Share) -> Share:
    return msgspec.structs.replace(
        one,
        weights_bytes=one.weights_bytes + other.weights_bytes,
        kv_bytes=one.kv_bytes + other.kv_bytes,
        compute_bytes=one.compute_bytes + other.compute_bytes,
    )


def _kinds_of_all(
    kinds: dict[str, int], devices: Sequence[Share], host: Sequence[BreakdownRow]
) -> dict[str, int]:
    # Recurrent state is allocated even in a dry run, so its figure is that of the fullest device.
    if "recurrent" not in kinds:
        return kinds
    everything = sum(share.kv_bytes for share in devices) + sum(row.kv_bytes for row in host)
    others = sum(size for kind, size in kinds.items() if kind != "recurrent")
    return {**kinds, "recurrent": max(0, everything - others)}


def _share(rows: Sequence[BreakdownRow]) -> Share:
    return Share(
        weights_bytes=sum(row.weights_bytes for row in rows),
        kv_bytes=sum(row.kv_bytes for row in rows),
        compute_bytes=sum(row.compute_bytes for row in rows),
    )


def _divided(
    model: MeasuredModel, settings: EngineSettings, context: int, meta: Sequence[BreakdownRow]
) -> tuple[Share, ...]:
    """The `Meta` row, divided as llama.cpp would; the compute buffer goes to each device whole."""
    whole = _share(meta)
    count = len(model.devices)
    if model.division is None:
        weights, kv = [whole.weights_bytes] * count, [whole.kv_bytes] * count
    else:
        if model.weights is None:
            tensors = model.header.tensors
            model.weights = model.division.weights(tensors, whole.weights_bytes)
            model.parts = model.division.parts(tensors)
        weights = model.weights
        kv = model.division.caches(_cache_tensors(model, settings, context))
    return tuple(
        Share(weights_bytes=w, kv_bytes=k, compute_bytes=whole.compute_bytes)
        for w, k in zip(weights, kv, strict=True)
    )


def _cache_tensors(model: MeasuredModel, settings: EngineSettings, context: int) -> list[Cache]:
    """The KV tensors on the devices, as llama.cpp names and sizes them."""
    facts, tensors = model.header.facts, []
    attending: set[int] = set()
    for kind, cells, layers in kv_caches(context):
        if kind == "recurrent":
            continue
        attending |= set(layers)
        k_size = facts.k_size_swa if kind == "swa" else facts.k_size
        v_size = facts.v_size_swa if kind == "swa" else facts.v_size
        for layer in filter(lambda layer: _layer_on_devices(model, layer), layers):
            heads = facts.kv_heads[layer]
            pair = (("k", settings.type_k, k_size), ("v", settings.type_v, v_size))
            tensors += [
                Cache(f"cache_{part}_l{layer}", KV_TYPES[kv_type], heads * size, cells)
                for part, kv_type, size in pair
            ]
    if facts.is_recurrent:
        for layer in range(facts.n_layer):
            if layer not in attending and _layer_on_devices(model, layer):
                tensors += [
                    Cache(f"cache_{part}_l{layer}", F32, width, 1)
                    for part, width in zip("rs", model.header.recurrent, strict=True)
                    if width
                ]
    return tensors


def _layer_on_devices(model: MeasuredModel, layer: int) -> bool:
    assert model.division
    for name in ("attn_norm.weight", "attn_output.weight", "ssm_out.weight", "ffn_norm.weight"):
        found = model.division.on_devices(f"blk.{layer}.{name}")
        if found is not None:
            return found
    return True
