"""Rules about dividing a model between devices. Each names the fact of llama.cpp it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.planning.case import Case, Change, Rule
from engine.planning.cuda_attention import CUDA, size_without_kernel, strange_kv_types
from engine.planning.facts import UNTESTED_TENSOR_SPLIT, WITHOUT_TENSOR_SPLIT

if TYPE_CHECKING:
    from engine.errors import Params

# llama.cpp divides in single precision; past this a boundary could cut a head in two.
_LARGEST_SHARE = 1024
_SMALL_SHARE = 64
_MAX_DEVICES = 16
_GATED_Q = frozenset(("qwen3next", "qwen35", "qwen35moe"))


def _tensor_architecture(case: Case) -> Params | None:
    if case.tensor and case.model.architecture in WITHOUT_TENSOR_SPLIT:
        return {"architecture": case.model.architecture}
    return None


def _tensor_untested(case: Case) -> Params | None:
    if case.tensor and case.model.architecture in UNTESTED_TENSOR_SPLIT:
        return {"architecture": case.model.architecture}
    return None


def _tensor_devices(case: Case) -> bool:
    return case.tensor and not case.devices


def _tensor_one_device(case: Case) -> bool:
    return case.tensor and len(case.devices) == 1


def _tensor_flash(case: Case) -> bool:
    return case.tensor and case.settings.flash_attn == "off"


def _tensor_kv_type(case: Case) -> Params | None:
    # A type that CUDA's flash attention does not know runs on the CPU under a layer split; the
    # device that stands for all GPUs has no such way out and aborts.
    if not (case.divides_layers and case.attends and case.has(*CUDA)):
        return None
    strange = strange_kv_types(case)
    return {"types": strange} if strange else None


def _tensor_head_size(case: Case) -> Params | None:
    if not (case.divides_layers and case.attends and case.has(*CUDA)):
        return None
    size = size_without_kernel(case)
    return {"size": size} if size else None


def _tensor_shares(case: Case) -> bool:
    shares = case.settings.tensor_split
    return case.tensor and bool(shares) and max(shares) > _LARGEST_SHARE


def _small_shares(case: Case) -> Change:
    shares = case.settings.tensor_split
    scaled = tuple(round(share * _SMALL_SHARE / max(shares)) for share in shares)
    return {"tensor_split": scaled}


def _zero_share(case: Case) -> Params | None:
    shares = case.settings.tensor_split[: len(case.devices)]
    for share, device in zip(shares, case.devices, strict=False):
        if case.settings.split_mode != "none" and any(shares) and not share:
            return {"device": device.description or device.name}
    return None


def _tensor_one_kv_head(case: Case) -> bool:
    # A single K head cannot be cut, and the graph then mixes whole and divided heads.
    several = case.divides_layers and len(case.devices) > 1 and case.attends
    return several and 1 in case.model.kv_heads


def _tensor_gated_remote(case: Case) -> Params | None:
    # Slices of the gated Q lie outside the buffer that the RPC server checks them against.
    remote = [device for device in case.devices if device.kind == "rpc"]
    if case.divides_layers and len(case.devices) > 1 and remote:
        architecture = case.model.architecture
        return {"architecture": architecture} if architecture in _GATED_Q else None
    return None


def _tensor_kv_off_gpu(case: Case) -> bool:
    return case.divides_layers and not case.settings.offload_kqv and case.attends


def _no_nccl(case: Case) -> bool:
    several = len([device for device in case.devices if device.backend == "CUDA"]) > 1
    return case.tensor and several and case.build.has_nccl is False


def _narrow_bus(case: Case) -> Params | None:
    for device in case.devices:
        if case.tensor and device.pcie_width is not None and device.pcie_width < 8:
            return {"device": device.description or device.name, "width": device.pcie_width}
    return None


def _share_count(case: Case) -> Params | None:
    shares = len(case.settings.tensor_split)
    splits = case.settings.split_mode != "none" and case.devices
    if shares and splits and shares != len(case.devices):
        return {"shares": shares, "devices": len(case.devices)}
    return None


def _negative_share(case: Case) -> bool:
    return any(share < 0 for share in case.settings.tensor_split)


def _too_many_devices(case: Case) -> Params | None:
    return {"count": len(case.devices)} if len(case.devices) > _MAX_DEVICES else None


def _main_device(case: Case) -> Params | None:
    settings = case.settings
    if settings.split_mode == "none" and case.devices and settings.main_gpu >= len(case.devices):
        return {"position": settings.main_gpu, "devices": len(case.devices)}
    return None


def _layer_split(_case: Case) -> Change:
    return {"split_mode": "layer"}


def _flash_auto(_case: Case) -> Change:
    return {"flash_attn": "auto"}


def _q8(_case: Case) -> Change:
    return {"type_k": "q8_0", "type_v": "q8_0"}


def _even(_case: Case) -> Change:
    return {"tensor_split": ()}


SPLIT_RULES: tuple[Rule, ...] = (
    Rule("rules.tensor_architecture", "no", "split_mode", _tensor_architecture, _layer_split),
    Rule("rules.tensor_no_device", "no", "split_mode", _tensor_devices, _layer_split),
    Rule("rules.tensor_flash", "no", "flash_attn", _tensor_flash, _flash_auto),
    Rule("rules.tensor_kv_type", "no", "type_k", _tensor_kv_type, _q8),
    Rule("rules.tensor_head_size", "no", "split_mode", _tensor_head_size, _layer_split),
    Rule("rules.tensor_shares", "no", "tensor_split", _tensor_shares, _small_shares),
    Rule("rules.tensor_one_kv_head", "no", "split_mode", _tensor_one_kv_head, _layer_split),
    Rule("rules.tensor_gated_remote", "no", "split_mode", _tensor_gated_remote, _layer_split),
    Rule(
        "rules.tensor_kv_off_gpu",
        "no",
        "offload_kqv",
        _tensor_kv_off_gpu,
        lambda _case: {"offload_kqv": True},
    ),
    Rule("rules.share_count", "no", "tensor_split", _share_count, _even),
    Rule("rules.negative_share", "no", "tensor_split", _negative_share, _even),
    Rule("rules.too_many_devices", "no", "devices", _too_many_devices),
    Rule("rules.main_device", "no", "main_gpu", _main_device, lambda _case: {"main_gpu": 0}),
    Rule("rules.no_nccl", "slow", "split_mode", _no_nccl, _layer_split),
    Rule("rules.narrow_bus", "slow", "split_mode", _narrow_bus, _layer_split),
    Rule("rules.zero_share", "note", "tensor_split", _zero_share, _even),
    Rule("rules.tensor_one_device", "note", "split_mode", _tensor_one_device, _layer_split),
    Rule("rules.tensor_untested", "note", "split_mode", _tensor_untested, _layer_split),
)
