"""What CUDA's flash attention knows: KV types, head sizes, pairs with a kernel of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.planning.case import Case

CUDA = ("CUDA", "ROCm", "MUSA")
CUDA_KV_TYPES = frozenset(("f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"))
DEFAULT_FA_PAIRS = (("q4_0", "q4_0"), ("q8_0", "q8_0"), ("f16", "f16"), ("bf16", "bf16"))
_HEAD_SIZES = frozenset((40, 64, 72, 80, 96, 112, 128, 256))


def strange_kv_types(case: Case) -> str:
    """The chosen KV types that CUDA cannot attend to, in words; empty when it knows both."""
    strange = {case.settings.type_k, case.settings.type_v} - CUDA_KV_TYPES
    return " and ".join(sorted(strange))


def size_without_kernel(case: Case) -> int:
    """A head size that CUDA's flash attention does not know; 0 when it knows all."""
    model = case.model
    ratio = max(model.gqa_ratios, default=1)
    for k, v in {(model.k_size, model.v_size), (model.k_size_swa, model.v_size_swa)}:
        known = (
            (k == v and k in _HEAD_SIZES)
            or (k == v == 512 and ratio >= 2)
            or (k == 192 and v == 128 and ratio % 8 == 0)
            or (k == 320 and v == 256 and ratio % 32 == 0)
            or (k == 576 and v == 512 and ratio >= 2)
        )
        if k and v and not known:
            return k
    return 0
