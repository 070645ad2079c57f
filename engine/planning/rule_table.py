"""All rules: those about KV types, attention, layers and context here, the others imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.planning.case import Case, Change, Rule
from engine.planning.cuda_attention import (
    CUDA,
    CUDA_KV_TYPES,
    DEFAULT_FA_PAIRS,
    size_without_kernel,
    strange_kv_types,
)
from engine.planning.facts import BLOCK_VALUES
from engine.planning.split_rules import SPLIT_RULES

if TYPE_CHECKING:
    from engine.errors import Params


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
    if case.tensor or not (case.on_gpu and case.attends and case.has(*CUDA)):
        return None
    strange = strange_kv_types(case)
    return {"types": strange} if strange else None


def _cuda_head_size(case: Case) -> Params | None:
    wanted = case.settings.flash_attn == "on" or case.settings.type_v in BLOCK_VALUES
    if case.tensor or not (wanted and case.on_gpu and case.attends and case.has(*CUDA)):
        return None
    size = size_without_kernel(case)
    return {"size": size} if size else None


def _mixed_pair(case: Case) -> Params | None:
    pair = (case.settings.type_k, case.settings.type_v)
    if not (case.on_gpu and case.attends and case.has(*CUDA)) or case.build.fa_all_pairs:
        return None
    compiled = case.build.fa_pairs or DEFAULT_FA_PAIRS
    known = pair in compiled or not set(pair) <= CUDA_KV_TYPES
    if known or case.settings.flash_attn == "off":
        return None
    return {"k": pair[0], "v": pair[1]}


def _flash_off(case: Case) -> bool:
    return case.settings.flash_attn == "off" and case.attends and not case.forces_fa_off


def _kv_in_ram(case: Case) -> bool:
    return case.on_gpu and case.attends and not case.settings.offload_kqv and not case.tensor


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


def _projector(case: Case) -> bool:
    return bool(case.settings.mmproj)


def _full_window(case: Case) -> bool:
    return case.settings.swa_full and bool(case.model.n_swa)


def _spills(case: Case) -> bool:
    return case.build.platform == "win32" and case.on_gpu and case.has("CUDA")


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


def _all_layers(_case: Case) -> Change:
    return {"n_gpu_layers": -1}


RULES: tuple[Rule, ...] = (
    *SPLIT_RULES,
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
    Rule(
        "rules.small_batch",
        "slow",
        "n_batch",
        _small_batch_on_several,
        lambda case: {"n_batch": min(65_536, 4 * case.settings.n_ubatch)},
    ),
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
    Rule("rules.projector", "note", "mmproj", _projector, lambda _case: {"mmproj": ""}),
    Rule("rules.full_window", "note", "swa_full", _full_window, lambda _case: {"swa_full": False}),
    Rule("rules.spill", "note", "n_ctx", _spills),
)
