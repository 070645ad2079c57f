"""The rules themselves. Each names the fact of llama.cpp it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.planning.case import Case, Change, Rule
from engine.planning.facts import BLOCK_VALUES, UNTESTED_TENSOR_SPLIT, WITHOUT_TENSOR_SPLIT

if TYPE_CHECKING:
    from engine.errors import Params

_CUDA = ("CUDA", "ROCm", "MUSA")
_CUDA_KV_TYPES = frozenset(("f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"))
_CUDA_HEAD_SIZES = frozenset((40, 64, 72, 80, 96, 112, 128, 256))
_DEFAULT_FA_PAIRS = (("q4_0", "q4_0"), ("q8_0", "q8_0"), ("f16", "f16"), ("bf16", "bf16"))
# llama.cpp divides in single precision; past this a boundary could cut a head in two.
_LARGEST_SHARE = 1024
_SMALL_SHARE = 64
_MAX_DEVICES = 16
_GATED_Q = frozenset(("qwen3next", "qwen35", "qwen35moe"))


# ---- tensor split


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
    if not (case.tensor and case.attends and case.has(*_CUDA)):
        return None
    strange = {case.settings.type_k, case.settings.type_v} - _CUDA_KV_TYPES
    return {"types": " and ".join(sorted(strange))} if strange else None


def _tensor_head_size(case: Case) -> Params | None:
    if not (case.tensor and case.attends and case.has(*_CUDA)):
        return None
    size = _size_without_cuda_kernel(case)
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
    several = case.tensor and len(case.devices) > 1 and case.attends
    return several and 1 in case.model.kv_heads


def _tensor_gated_remote(case: Case) -> Params | None:
    # Slices of the gated Q lie outside the buffer that the RPC server checks them against.
    remote = [device for device in case.devices if device.kind == "rpc"]
    if case.tensor and len(case.devices) > 1 and remote:
        architecture = case.model.architecture
        return {"architecture": architecture} if architecture in _GATED_Q else None
    return None


def _tensor_kv_off_gpu(case: Case) -> bool:
    return case.tensor and not case.settings.offload_kqv and case.attends


def _no_nccl(case: Case) -> bool:
    several = len([device for device in case.devices if device.backend == "CUDA"]) > 1
    return case.tensor and several and case.build.has_nccl is False


def _narrow_bus(case: Case) -> Params | None:
    for device in case.devices:
        if case.tensor and device.pcie_width is not None and device.pcie_width < 8:
            return {"device": device.description or device.name, "width": device.pcie_width}
    return None


# ---- the shares themselves


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


# ---- KV types and flash attention


def _v_needs_flash(case: Case) -> bool:
    quantized = case.settings.type_v in BLOCK_VALUES
    return quantized and (case.settings.flash_attn == "off" or case.forces_fa_off)


def _grok_flash(case: Case) -> bool:
    return case.forces_fa_off and case.settings.flash_attn == "on"


def _mla_types(case: Case) -> bool:
    one_row = case.model.is_mla or case.model.architecture == "deepseek4"
    return one_row and case.settings.type_k != case.settings.type_v


def _block(case: Case) -> Params | None:
    for part, kv_type, sizes in (
        ("K", case.settings.type_k, (case.model.k_size, case.model.k_size_swa)),
        ("V", case.settings.type_v, (case.model.v_size, case.model.v_size_swa)),
    ):
        values = BLOCK_VALUES.get(kv_type)
        for size in sizes:
            if values and size % values:
                return {"part": part, "type": kv_type, "block": values, "size": size}
    return None


def _metal_pair(case: Case) -> bool:
    differs = case.settings.type_k != case.settings.type_v
    return case.attends and case.has("MTL", "Metal") and differs and not case.model.is_mla


def _cuda_kv_on_cpu(case: Case) -> Params | None:
    if case.tensor or not (case.on_gpu and case.attends and case.has(*_CUDA)):
        return None
    strange = {case.settings.type_k, case.settings.type_v} - _CUDA_KV_TYPES
    return {"types": " and ".join(sorted(strange))} if strange else None


def _size_without_cuda_kernel(case: Case) -> int:
    """A head size that CUDA's flash attention does not know; 0 when it knows all."""
    model = case.model
    ratio = max(model.gqa_ratios, default=1)
    for k, v in {(model.k_size, model.v_size), (model.k_size_swa, model.v_size_swa)}:
        known = (
            (k == v and k in _CUDA_HEAD_SIZES)
            or (k == v == 512 and ratio >= 2)
            or (k == 192 and v == 128 and ratio % 8 == 0)
            or (k == 320 and v == 256 and ratio % 32 == 0)
            or (k == 576 and v == 512 and ratio >= 2)
        )
        if k and v and not known:
            return k
    return 0


def _cuda_head_size(case: Case) -> Params | None:
    wanted = case.settings.flash_attn == "on" or case.settings.type_v in BLOCK_VALUES
    if case.tensor or not (wanted and case.on_gpu and case.attends and case.has(*_CUDA)):
        return None
    size = _size_without_cuda_kernel(case)
    return {"size": size} if size else None


def _mixed_pair(case: Case) -> Params | None:
    pair = (case.settings.type_k, case.settings.type_v)
    if not (case.on_gpu and case.attends and case.has(*_CUDA)) or case.build.fa_all_pairs:
        return None
    compiled = case.build.fa_pairs or _DEFAULT_FA_PAIRS
    known = pair in compiled or not set(pair) <= _CUDA_KV_TYPES
    if known or case.settings.flash_attn == "off":
        return None
    return {"k": pair[0], "v": pair[1]}


def _flash_off(case: Case) -> bool:
    return case.settings.flash_attn == "off" and case.attends and not case.forces_fa_off


def _kv_in_ram(case: Case) -> bool:
    return case.on_gpu and case.attends and not case.settings.offload_kqv and not case.tensor


# ---- layers, batches, context


def _some_layers(case: Case) -> Params | None:
    layers = case.settings.n_gpu_layers
    total = case.model.n_layer + 1
    if case.devices and 0 <= layers < total:
        return {"layers": layers, "total": total}
    return None


def _experts_in_ram(case: Case) -> Params | None:
    if case.on_gpu and case.settings.n_cpu_moe and case.model.n_expert:
        return {"layers": min(case.settings.n_cpu_moe, case.model.n_layer)}
    return None


def _experts_without_experts(case: Case) -> bool:
    return bool(case.settings.n_cpu_moe) and not case.model.n_expert


def _micro_batch(case: Case) -> Params | None:
    settings = case.settings
    if settings.n_ubatch > settings.n_batch:
        return {"ubatch": settings.n_ubatch, "batch": settings.n_batch}
    return None


def _small_batch_on_several(case: Case) -> bool:
    settings = case.settings
    several = len(case.devices) > 1 and settings.split_mode == "layer"
    return several and settings.n_batch < 2 * settings.n_ubatch


def _context_unknown(case: Case) -> bool:
    return case.settings.n_ctx == 0 and case.model.n_ctx_train == 0


def _past_training(case: Case) -> Params | None:
    settings, model = case.settings, case.model
    scaled = settings.rope_scaling != "model" or settings.rope_freq_scale or settings.rope_freq_base
    if model.n_ctx_train and settings.n_ctx > model.n_ctx_train and not scaled:
        return {"n_ctx": settings.n_ctx, "trained": model.n_ctx_train}
    return None


def _shift(case: Case) -> Params | None:
    if case.attends and case.settings.type_k in BLOCK_VALUES:
        return {"type": case.settings.type_k}
    return None


def _full_window(case: Case) -> bool:
    return case.settings.swa_full and bool(case.model.n_swa)


def _spills(case: Case) -> bool:
    return case.build.platform == "win32" and case.on_gpu and case.has("CUDA")


def _layer_split(_case: Case) -> Change:
    return {"split_mode": "layer"}


def _flash_auto(_case: Case) -> Change:
    return {"flash_attn": "auto"}


def _q8(_case: Case) -> Change:
    return {"type_k": "q8_0", "type_v": "q8_0"}


def _v_like_k(case: Case) -> Change:
    return {"type_v": case.settings.type_k}


def _f16(_case: Case) -> Change:
    return {"type_k": "f16", "type_v": "f16"}


def _v_plain(_case: Case) -> Change:
    return {"type_v": "f16"}


def _even(_case: Case) -> Change:
    return {"tensor_split": ()}


def _all_layers(_case: Case) -> Change:
    return {"n_gpu_layers": -1}


RULES: tuple[Rule, ...] = (
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
    Rule(
        "rules.v_needs_flash",
        "no",
        "type_v",
        _v_needs_flash,
        lambda case: _v_plain(case) if case.forces_fa_off else _flash_auto(case),
    ),
    Rule("rules.mla_types", "no", "type_v", _mla_types, _v_like_k),
    Rule("rules.block", "no", "type_k", _block, _f16),
    Rule("rules.metal_pair", "no", "type_v", _metal_pair, _v_like_k),
    Rule(
        "rules.micro_batch",
        "no",
        "n_ubatch",
        _micro_batch,
        lambda case: {"n_ubatch": case.settings.n_batch},
    ),
    Rule("rules.context_unknown", "no", "n_ctx", _context_unknown, lambda _case: {"n_ctx": 8192}),
    Rule("rules.cuda_kv_on_cpu", "slow", "type_k", _cuda_kv_on_cpu, _q8),
    Rule("rules.cuda_head_size", "slow", "flash_attn", _cuda_head_size, _flash_auto),
    Rule("rules.mixed_pair", "slow", "type_v", _mixed_pair, _v_like_k),
    Rule("rules.flash_off", "slow", "flash_attn", _flash_off, _flash_auto),
    Rule(
        "rules.kv_in_ram",
        "slow",
        "offload_kqv",
        _kv_in_ram,
        lambda _case: {"offload_kqv": True},
    ),
    Rule("rules.some_layers", "slow", "n_gpu_layers", _some_layers, _all_layers),
    Rule(
        "rules.experts_in_ram",
        "slow",
        "n_cpu_moe",
        _experts_in_ram,
        lambda _case: {"n_cpu_moe": 0},
    ),
    Rule("rules.no_nccl", "slow", "split_mode", _no_nccl, _layer_split),
    Rule("rules.narrow_bus", "slow", "split_mode", _narrow_bus, _layer_split),
    Rule(
        "rules.small_batch",
        "slow",
        "n_batch",
        _small_batch_on_several,
        lambda case: {"n_batch": min(65_536, 4 * case.settings.n_ubatch)},
    ),
    Rule("rules.zero_share", "note", "tensor_split", _zero_share, _even),
    Rule("rules.tensor_one_device", "note", "split_mode", _tensor_one_device, _layer_split),
    Rule("rules.tensor_untested", "note", "split_mode", _tensor_untested, _layer_split),
    Rule("rules.grok_flash", "note", "flash_attn", _grok_flash, _flash_auto),
    Rule(
        "rules.experts_none",
        "note",
        "n_cpu_moe",
        _experts_without_experts,
        lambda _case: {"n_cpu_moe": 0},
    ),
    Rule(
        "rules.past_training",
        "note",
        "n_ctx",
        _past_training,
        lambda case: {"n_ctx": case.model.n_ctx_train},
    ),
    Rule("rules.shift_quantized", "note", "type_k", _shift),
    Rule("rules.full_window", "note", "swa_full", _full_window, lambda _case: {"swa_full": False}),
    Rule("rules.spill", "note", "n_ctx", _spills),
)
