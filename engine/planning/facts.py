"""What the rules and the plans need to know about a model, a build and the devices.

Plain data: it comes from the planner process, crosses to the window and is enough to check a
setting while a slider is dragged, with no model loaded and no native code near.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.worker.protocol import DeviceInfo

# llama-arch.cpp: llm_arch_supports_sm_tensor.
WITHOUT_TENSOR_SPLIT = frozenset(
    {
        "grok",
        "mpt",
        "plamo2",
        "minicpm3",
        "gemma3n",
        "mamba",
        "mamba2",
        "jamba",
        "falcon-h1",
        "olmo2",
        "olmoe",
        "deepseek2",
        "deepseek32",
        "hy_v4",
        "dots3note",
        "glm-dsa",
        "bitnet",
        "t5",
        "nemotron_h",
        "nemotron_h_moe",
        "granitehybrid",
        "minimax-01",
        "minimax-m2",
        "minimax-m3",
        "mistral4",
        "kimi-linear",
        "bailingmoe3",
        "kimi-k3",
        "glm5-next",
        "qwen3tts",
        "qwen4exp",
    }
)
UNTESTED_TENSOR_SPLIT = frozenset(
    {
        "gemma4",
        "eagle3",
        "dflash",
        "bert",
        "modern-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "eurobert",
        "rwkv6",
        "rwkv6qwen2",
        "rwkv7",
        "arwkv7",
    }
)
_RECURRENT = frozenset(
    {
        "mamba",
        "mamba2",
        "rwkv6",
        "rwkv6qwen2",
        "rwkv7",
        "arwkv7",
    }
)

_VIRTUAL = re.compile(r"(?<=\.[0-9a-f])-v\d+$")

BLOCK_VALUES = {"q8_0": 32, "q5_1": 32, "q5_0": 32, "q4_1": 32, "q4_0": 32, "iq4_nl": 32}
"""Values per block of the quantized KV types; the others are stored one by one."""


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A model as its file's header describes it.

    Attributes:
        path: The file that was opened; the first part of a split one.
        parts: How many files it is split into.
        file_bytes: Size of all parts.
        heads: Attention heads of each layer; 0 for a layer without attention.
        kv_heads: K and V heads of each layer.
        k_size: Width of one K head; `k_size_swa` is that of sliding-window layers.
        n_swa: Width of the sliding window in tokens; 0 without one.
        is_mla: K and V are kept as one compressed row (multi-head latent attention).
        shared_kv_layers: Layers at the end that reuse the KV of earlier ones.
        is_recurrent: Some layers keep a state of fixed size.
        has_attention: Some layers keep K and V.
        n_expert: Experts per layer; 0 for a dense model.
    """

    path: str
    name: str = ""
    architecture: str
    n_layer: int
    n_ctx_train: int
    n_embd: int
    n_vocab: int = 0
    parts: int = 1
    file_bytes: int = 0
    heads: tuple[int, ...] = ()
    kv_heads: tuple[int, ...] = ()
    k_size: int = 0
    v_size: int = 0
    k_size_swa: int = 0
    v_size_swa: int = 0
    n_swa: int = 0
    is_mla: bool = False
    shared_kv_layers: int = 0
    is_recurrent: bool = False
    n_expert: int = 0

    @property
    def has_attention(self) -> bool:
        """Whether any layer keeps K and V."""
        return self.architecture not in _RECURRENT and any(self.kv_heads)

    @property
    def gqa_ratios(self) -> tuple[int, ...]:
        """Q heads per KV head, over the layers with attention."""
        pairs = zip(self.heads, self.kv_heads, strict=False)
        return tuple(sorted({heads // kv for heads, kv in pairs if kv}))

    @property
    def kv_reason(self) -> str:
        """Code of the sentence that says why this model's KV cache is as large as it is."""
        if self.architecture == "deepseek4":
            return "planning.reason_compressed"
        if not self.has_attention:
            return "planning.reason_recurrent"
        if self.is_mla:
            return "planning.reason_mla"
        if self.is_recurrent:
            return "planning.reason_hybrid"
        if self.shared_kv_layers:
            return "planning.reason_shared"
        if self.n_swa:
            return "planning.reason_swa"
        if max(self.gqa_ratios, default=1) > 1:
            return "planning.reason_gqa"
        return "planning.reason_mha"


class BuildFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the installed llama.cpp can do.

    Attributes:
        id: Names the build in learned corrections.
        fa_pairs: K and V type pairs with a vector kernel of their own, e.g. ``("q8_0", "q8_0")``;
            empty when the build does not say.
        has_nccl: NCCL is linked in; None when not known or without CUDA.
        platform: ``linux``, ``darwin`` or ``win32``.
    """

    id: str = ""
    backends: tuple[str, ...] = ()
    fa_pairs: tuple[tuple[str, str], ...] = ()
    fa_all_pairs: bool = False
    has_nccl: bool | None = None
    has_rpc: bool = False
    platform: str = "linux"


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A device as a plan counts with it.

    Attributes:
        free_bytes: What is free, the planner's own part added back.
        counts_engine: `free_bytes` holds what the engine would give back as well: the driver tells
            whose memory it is.
        pcie_width: Lanes in use; None when not known.
        imagined: A what-if device that is not in this machine.
        uuid: NVML's name of the card; empty for other devices.
    """

    name: str
    id: str
    description: str = ""
    backend: str = ""
    kind: str = "gpu"
    free_bytes: int | None = None
    total_bytes: int | None = None
    pcie_width: int | None = None
    uuid: str = ""
    imagined: bool = False
    counts_engine: bool = False

    @property
    def card(self) -> str:
        """The id of the card, which several virtual devices may share."""
        return card_of(self.id)

    @classmethod
    def of(cls, info: DeviceInfo) -> DeviceFacts:
        """The facts of a device that llama.cpp lists."""
        return cls(
            name=info.name,
            id=info.id,
            description=info.description,
            backend=info.backend,
            kind=info.kind,
            free_bytes=info.free_bytes,
            total_bytes=info.total_bytes,
        )


def card_of(device_id: str) -> str:
    """The PCI id of the card behind a device: ggml-cuda numbers virtual ones, as in ``…-v1``."""
    return _VIRTUAL.sub("", device_id)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a question is asked against, besides the settings.

    Attributes:
        worker_pid: The process whose memory would be given back before the load; 0 for none.
        released: The same in bytes by device id, for devices that do not tell whose memory it is.
        shares: What a layer split without a ratio divides by, instead of what is free: a loaded
            model stays where it is when only its context changes.
        imagined: What-if devices instead of the machine's own.
    """

    worker_pid: int = 0
    released: dict[str, int] = {}
    shares: tuple[int, ...] = ()
    imagined: tuple[DeviceFacts, ...] = ()


def parsed_fa_pairs(system_info: str) -> tuple[tuple[tuple[str, str], ...], bool]:
    """The K/V pairs with a vector kernel, from `llama_print_system_info`, and whether all have."""
    for part in system_info.split("|"):
        key, _, value = part.partition("=")
        words = key.strip().split()
        if not words or not words[-1].startswith("FA_"):
            continue
        if words[-1] == "FA_ALL_QUANTS":
            return (), value.strip() == "1"
        if words[-1] == "FA_QUANTS":
            if value.strip().lower() == "all":
                return (), True
            return _pairs(value.replace(",", ";").split(";")), False
    return (), False


def _pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = (text.strip().partition("-") for text in texts)
    return tuple((k, v) for k, dash, v in pairs if dash)
