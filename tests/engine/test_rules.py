"""Rules: what goes with what, the suggested change, the time they take, and a part of the sweep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.facts import BuildFacts, DeviceFacts, ModelFacts, parsed_fa_pairs
from engine.planning.rule_table import RULES
from engine.planning.rules import check, repaired, worst
from engine.sentences import table
from engine.settings import EngineSettings, validated
from engine.settings.engine_settings import KvType

_ROOT = Path(__file__).parents[2]
_KV_TYPES = get_args(KvType)
_CUDA = tuple(
    DeviceFacts(name=f"CUDA{n}", id=f"0000:0{n}:00.0", backend="CUDA", kind="gpu") for n in (1, 2)
)
_NODES = tuple(
    DeviceFacts(name=f"RPC{n}", id=f"127.0.0.1:500{n}", backend="RPC", kind="rpc") for n in (1, 2)
)
_BUILD = BuildFacts(backends=("CUDA",), has_nccl=True)
_LLAMA = ModelFacts(
    path="m.gguf",
    architecture="llama",
    n_layer=32,
    n_ctx_train=131072,
    n_embd=4096,
    heads=(32,) * 32,
    kv_heads=(8,) * 32,
    k_size=128,
    v_size=128,
    k_size_swa=128,
    v_size_swa=128,
)
_MLA = msgspec.structs.replace(
    _LLAMA, architecture="deepseek2", is_mla=True, k_size=576, v_size=512, kv_heads=(1,) * 32
)


def _codes(
    settings: EngineSettings,
    model: ModelFacts = _LLAMA,
    devices: tuple[DeviceFacts, ...] = _CUDA,
    build: BuildFacts = _BUILD,
) -> dict[str, str]:
    return {verdict.code: verdict.severity for verdict in check(settings, model, build, devices)}


def test_default_settings_are_fine() -> None:
    assert _codes(EngineSettings()) == {}


@pytest.mark.parametrize(
    ("changes", "model", "devices", "code", "severity"),
    [
        ({"split_mode": "tensor", "type_k": "iq4_nl"}, _LLAMA, _CUDA, "tensor_kv_type", "no"),
        ({"split_mode": "tensor", "flash_attn": "off"}, _LLAMA, _CUDA, "tensor_flash", "no"),
        ({"split_mode": "tensor"}, _MLA, _CUDA, "tensor_architecture", "no"),
        ({"split_mode": "tensor"}, _LLAMA, (), "tensor_no_device", "no"),
        ({"split_mode": "tensor"}, _LLAMA, _CUDA[:1], "tensor_one_device", "note"),
        ({"split_mode": "tensor", "tensor_split": (4096, 1)}, _LLAMA, _CUDA, "tensor_shares", "no"),
        ({"split_mode": "tensor", "offload_kqv": False}, _LLAMA, _CUDA, "tensor_kv_off_gpu", "no"),
        ({"tensor_split": (1, 2, 3)}, _LLAMA, _CUDA, "share_count", "no"),
        ({"tensor_split": (-1, 2)}, _LLAMA, _CUDA, "negative_share", "no"),
        ({"split_mode": "none", "main_gpu": 5}, _LLAMA, _CUDA, "main_device", "no"),
        ({"type_v": "q8_0", "flash_attn": "off"}, _LLAMA, _CUDA, "v_needs_flash", "no"),
        ({"type_k": "q8_0"}, _MLA, _CUDA, "mla_types", "no"),
        ({"n_ubatch": 4096}, _LLAMA, _CUDA, "micro_batch", "no"),
        ({"type_k": "iq4_nl", "type_v": "iq4_nl"}, _LLAMA, _CUDA, "cuda_kv_on_cpu", "slow"),
        ({"type_k": "q8_0", "type_v": "q4_0"}, _LLAMA, _CUDA, "mixed_pair", "slow"),
        ({"type_k": "q5_0", "type_v": "q5_0"}, _LLAMA, _CUDA, "mixed_pair", "slow"),
        ({"flash_attn": "off"}, _LLAMA, _CUDA, "flash_off", "slow"),
        ({"offload_kqv": False}, _LLAMA, _CUDA, "kv_in_ram", "slow"),
        ({"n_gpu_layers": 10}, _LLAMA, _CUDA, "some_layers", "slow"),
        ({"n_ctx": 262144}, _LLAMA, _CUDA, "past_training", "note"),
        ({"type_k": "q8_0", "type_v": "q8_0"}, _LLAMA, _CUDA, "shift_quantized", "note"),
    ],
)
def test_each_rule_sees_its_case(
    changes: dict[str, object],
    model: ModelFacts,
    devices: tuple[DeviceFacts, ...],
    code: str,
    severity: str,
) -> None:
    settings = validated(EngineSettings(), **changes)
    assert _codes(settings, model, devices)[f"rules.{code}"] == severity


def test_a_single_kv_head_cannot_be_divided() -> None:
    gemma = msgspec.structs.replace(_LLAMA, architecture="gemma3", kv_heads=(1,) * 32)
    assert "rules.tensor_one_kv_head" in _codes(EngineSettings(split_mode="tensor"), gemma)
    assert "rules.tensor_one_kv_head" not in _codes(EngineSettings(), gemma)


def test_a_tensor_split_of_the_output_layer_alone_divides_no_heads() -> None:
    one = msgspec.structs.replace(_LLAMA, kv_heads=(1,) * 32)
    settings = EngineSettings(split_mode="tensor", n_gpu_layers=1, offload_kqv=False)
    assert worst(check(settings, one, _BUILD, _CUDA)) != "no"


def test_gated_attention_is_kept_off_remote_devices_in_a_tensor_split() -> None:
    qwen = msgspec.structs.replace(_LLAMA, architecture="qwen3next", is_recurrent=True)
    settings = EngineSettings(split_mode="tensor")
    assert "rules.tensor_gated_remote" in _codes(settings, qwen, _NODES)
    assert "rules.tensor_gated_remote" not in _codes(settings, qwen, _CUDA)


def test_heads_that_a_block_does_not_divide() -> None:
    odd = msgspec.structs.replace(_LLAMA, k_size=80, v_size=80, k_size_swa=80, v_size_swa=80)
    codes = _codes(EngineSettings(type_k="q8_0", type_v="q8_0"), odd)
    assert codes["rules.block"] == "no"


def test_a_build_with_more_kernels_lifts_the_mixed_pair() -> None:
    settings = EngineSettings(type_k="q8_0", type_v="q4_0")
    pairs, everything = parsed_fa_pairs("CUDA : ARCHS = 900 | FA_QUANTS = q8_0-q4_0;f16-f16 | ")
    assert (pairs, everything) == ((("q8_0", "q4_0"), ("f16", "f16")), False)
    some = msgspec.structs.replace(_BUILD, fa_pairs=pairs)
    assert "rules.mixed_pair" not in _codes(settings, build=some)
    every = msgspec.structs.replace(_BUILD, fa_all_pairs=True)
    assert "rules.mixed_pair" not in _codes(EngineSettings(type_k="q5_1"), build=every)


def test_missing_nccl_is_told_in_a_tensor_split_alone() -> None:
    build = msgspec.structs.replace(_BUILD, has_nccl=False)
    assert "rules.no_nccl" in _codes(EngineSettings(split_mode="tensor"), build=build)
    assert "rules.no_nccl" not in _codes(EngineSettings(), build=build)


def test_every_rule_has_a_sentence() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    assert set(codes) <= table().keys()


@given(
    split=st.sampled_from(["none", "layer", "tensor"]),
    flash=st.sampled_from(["auto", "on", "off"]),
    type_k=st.sampled_from(_KV_TYPES),
    type_v=st.sampled_from(_KV_TYPES),
    shares=st.lists(st.integers(-1, 5000), max_size=3).map(tuple),
    n_ubatch=st.integers(1, 8192),
    model=st.sampled_from([_LLAMA, _MLA]),
)
def test_the_suggested_changes_lead_out_of_every_no(
    split: str,
    flash: str,
    type_k: str,
    type_v: str,
    shares: tuple[int, ...],
    n_ubatch: int,
    model: ModelFacts,
) -> None:
    settings = validated(
        EngineSettings(),
        split_mode=split,
        flash_attn=flash,
        type_k=type_k,
        type_v=type_v,
        tensor_split=shares,
        n_ubatch=n_ubatch,
    )
    fixed = repaired(settings, model, _BUILD, _CUDA)
    assert worst(check(fixed, model, _BUILD, _CUDA)) != "no"


def test_a_check_takes_well_under_a_millisecond() -> None:
    settings = EngineSettings(split_mode="tensor", type_k="q8_0", type_v="q4_0", n_ctx=200_000)
    # Time of this thread alone, so that a busy machine does not decide.
    started_s = time.thread_time()
    for _ in range(200):
        check(settings, _LLAMA, _BUILD, _CUDA)
    assert (time.thread_time() - started_s) / 200 < 1e-3


@pytest.mark.model
def test_verdicts_hold_on_two_real_devices() -> None:
    """A part of the sweep: verdict no is refused or would abort, everything else runs."""
    names = "llama-dense,qwen3-dense,deepseek2-moe"
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "sweep_rules.py"),
            "--families",
            names,
            "--pairs",
            "few",
        ],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=280,
        check=False,
    )
    summary = json.loads(done.stdout)
    assert summary["disagreements"] == []
    assert summary["tried"] == 3 * 5 * 9
    assert done.returncode == 0
