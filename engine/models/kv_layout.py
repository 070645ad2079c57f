"""How large a model's KV cache is, from its header alone.

The rules are llama.cpp's (llama-model.cpp: `create_memory`; models/*.cpp: which layers slide).
A plan before a load comes from llama.cpp itself; this is for facts about a file.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.models.ggml_types import TYPE_BY_NAME

Numbers = Callable[[str], tuple[int, ...]]

_CELLS = 256
_MAX_LAYERS = 1024

# No cache that grows with the text: a state of fixed size, or none at all.
_WITHOUT_KV = frozenset(
    {
        "mamba",
        "mamba2",
        "rwkv6",
        "rwkv6qwen2",
        "rwkv7",
        "arwkv7",
        "bert",
        "modern-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "eurobert",
        "gemma-embedding",
        "wavtokenizer-dec",
        "dream",
        "llada",
        "llada-moe",
        "rnd1",
        "clip",
        "t5encoder",
    }
)
# Caches of a shape of their own that no rule here describes.
_UNKNOWN = frozenset(
    {
        "deepseek4",
        "dflash",
        "eagle3",
        "hy_v4",
        "dots3note",
        "glm-dsa",
        "glm5-next",
        "qwen4exp",
        "nanbeige",
        "t5",
        "gemma4-assistant",
        "graniteswitch",
    }
)
# Every n-th layer attends to all; recurrent ones lie between.
_FULL_EVERY = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "minimax-01": 8}


class _Sliding(msgspec.Struct, frozen=True):
    """Which layers slide where the file does not say: all but every `period`-th.

    Attributes:
        full_first: The layer that attends to all is the first of its period, not the last.
        window: Width in tokens where the file names none; 0 means that nothing slides then.
        fixed: The file's own width is not used.
    """

    period: int
    full_first: bool = False
    window: int = 0
    fixed: bool = False


_SLIDING: dict[str, _Sliding] = {
    "afmoe": _Sliding(4),
    "cohere2": _Sliding(4),
    "cohere2moe": _Sliding(4, full_first=True),
    "exaone-moe": _Sliding(4, window=128),
    "gemma2": _Sliding(2, window=4096),
    "gemma3": _Sliding(6),
    "gemma3n": _Sliding(5),
    "gpt-oss": _Sliding(2),
    "laguna": _Sliding(4, full_first=True),
    "llama4": _Sliding(4, window=8192, fixed=True),
    "mellum": _Sliding(4),
    "muse-glimmer": _Sliding(4),
    "olmo2": _Sliding(4),
    "plamo3": _Sliding(8),
    "smallthinker": _Sliding(4, full_first=True, window=4096, fixed=True),
}
_SLIDING_BY_LIST = frozenset(
    {
        "gemma4",
        "granite_swa",
        "maple",
        "mimo2",
        "spark2_5",
        "step35",
    }
)
_EXAONE4_LARGE_LAYERS = 64
_GEMMA3N_KV_LAYERS = 20


class KvRow(msgspec.Struct, frozen=True):
    """What one layer keeps of each token: values of K and of V.

    Attributes:
        slides: Only the tokens of the sliding window are kept.
    """

    k_values: int
    v_values: int
    slides: bool = False


class KvLayout(msgspec.Struct, frozen=True):
    """The KV cache of a model.

    Attributes:
        rows: One per cache row: layers, and indexers where there are some.
        window: Width of the sliding window in tokens; 0 without one.
    """

    rows: tuple[KvRow, ...]
    window: int = 0

    def bytes_per_token(self, type_k: str = "f16", type_v: str = "f16") -> int | None:
        """By how much the cache grows with each token of context, sliding layers left out.

        None when the rows cannot be stored in these types.
        """
        return _sum_bytes([row for row in self.rows if not row.slides], type_k, type_v)

    def bytes_at(
        self,
        n_ctx: int,
        type_k: str = "f16",
        type_v: str = "f16",
        *,
        n_ubatch: int = 512,
        swa_full: bool = False,
    ) -> int | None:
        """The whole cache of one sequence for a context of so many tokens.

        None when the rows cannot be stored in these types.
        """
        growing = self.bytes_per_token(type_k, type_v)
        sliding = _sum_bytes([row for row in self.rows if row.slides], type_k, type_v)
        if growing is None or sliding is None:
            return None
        cells = _padded(n_ctx)
        window = cells if swa_full else min(cells, _padded(self.window + n_ubatch))
        return growing * cells + sliding * window


def kv_layout(architecture: str, numbers: Numbers) -> KvLayout | None:
    """The cache of a model; None when its architecture keeps one of an unknown shape.

    Args:
        architecture: As in ``general.architecture``.
        numbers: Whole numbers of a key of the architecture, by its name without the prefix.
    """
    if architecture in _WITHOUT_KV:
        return KvLayout(())
    n_all = _first(numbers("block_count"))
    if architecture in _UNKNOWN or not 0 < n_all <= _MAX_LAYERS:
        return None
    n_layer = n_all - min(n_all, _first(numbers("nextn_predict_layers")))
    window, slides = _window(architecture, n_layer, numbers)
    attends = _attends(architecture, n_layer, numbers)
    rows = [
        _row(layer, n_all, numbers, slides=slides[layer])
        for layer in range(n_layer)
        if attends[layer]
    ]
    kept = [row for row in rows if row.k_values]
    return KvLayout((*kept, *_indexers(architecture, n_layer, numbers)), window)


def head_sizes(numbers: Numbers) -> tuple[int, int]:
    """Width of a K and of a V head in layers that attend to everything; 0 when not known."""
    heads = _first(numbers("attention.head_count"))
    usual = _first(numbers("embedding_length")) // heads if heads > 0 else 0
    k_size = _first(numbers("attention.key_length"), usual)
    return k_size, _first(numbers("attention.value_length"), usual)


def _row(layer: int, n_all: int, numbers: Numbers, *, slides: bool) -> KvRow:
    k_size, v_size = head_sizes(numbers)
    if slides:
        k_size = _first(numbers("attention.key_length_swa"), k_size)
        v_size = _first(numbers("attention.value_length_swa"), v_size)
    is_mla = all(_first(numbers(f"attention.{part}_length_mla")) for part in ("key", "value"))
    kv_heads = numbers("attention.head_count_kv") or numbers("attention.head_count")
    heads = _of_layer(kv_heads, layer, n_all)
    return KvRow(k_size * heads, 0 if is_mla else v_size * heads, slides)


def _attends(architecture: str, n_layer: int, numbers: Numbers) -> list[bool]:
    """Which layers keep K and V of their own."""
    if architecture in _FULL_EVERY:
        recurrent = numbers("attention.recurrent_layers")
        if len(recurrent) >= n_layer > 1:
            return [not recurrent[layer] for layer in range(n_layer)]
        every = _first(numbers("full_attention_interval"), _FULL_EVERY[architecture]) or 1
        return [(layer + 1) % every == 0 for layer in range(n_layer)]
    if architecture in ("nemotron_h", "nemotron_h_moe"):
        widths = numbers("feed_forward_length")
        return [_of_layer(widths, layer, n_layer) == 0 for layer in range(n_layer)]
    own = n_layer
    if architecture == "gemma3n":
        own = _GEMMA3N_KV_LAYERS
    elif architecture == "gemma4":
        own = n_layer - _first(numbers("attention.shared_kv_layers"))
    return [layer < own for layer in range(n_layer)]


def _window(architecture: str, n_layer: int, numbers: Numbers) -> tuple[int, list[bool]]:
    """Width of the sliding window and which layers slide."""
    nothing = (0, [False] * n_layer)
    declared = numbers("attention.sliding_window")
    if architecture in ("lfm2", "lfm2moe"):
        width = _first(declared)
        return (width, [True] * n_layer) if width else nothing
    rule = _SLIDING.get(architecture)
    if architecture == "exaone4" and n_layer == _EXAONE4_LARGE_LAYERS:
        rule = _Sliding(4, window=4096)
    if rule is None and architecture not in _SLIDING_BY_LIST:
        return nothing
    rule = rule or _Sliding(1)
    width = _first(declared, rule.window)
    if not width:
        return nothing
    pattern = numbers("attention.sliding_window_pattern")
    slides = [_slides(rule, pattern, layer) for layer in range(n_layer)]
    return rule.window if rule.fixed else width, slides


def _slides(rule: _Sliding, pattern: tuple[int, ...], layer: int) -> bool:
    if len(pattern) > 1:
        return layer < len(pattern) and bool(pattern[layer])
    period = pattern[0] if pattern else rule.period
    if period <= 0:
        return True
    return layer % period != 0 if rule.full_first else layer % period < period - 1


def _indexers(architecture: str, n_layer: int, numbers: Numbers) -> list[KvRow]:
    """Rows of sparse attention's indexers: one key head, and where K and V are kept, a V too."""
    width = _first(numbers("attention.indexer.key_length"))
    if architecture == "deepseek32":
        return [KvRow(width, 0)] * n_layer
    if architecture == "minimax-m3":
        dense = _first(numbers("leading_dense_block_count"))
        return [KvRow(width, head_sizes(numbers)[1])] * max(0, n_layer - dense)
    return []


def _sum_bytes(rows: list[KvRow], type_k: str, type_v: str) -> int | None:
    k_type, v_type = TYPE_BY_NAME[type_k], TYPE_BY_NAME[type_v]
    sizes = [
        size
        for row in rows
        for size in (k_type.bytes_of(row.k_values), v_type.bytes_of(row.v_values))
    ]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _padded(cells: int) -> int:
    return -(-cells // _CELLS) * _CELLS


def _first(values: tuple[int, ...], default: int = 0) -> int:
    return max(0, values[0]) if values else default


def _of_layer(values: tuple[int, ...], layer: int, n_layer: int) -> int:
    """A value that is given once for all layers, or once for each."""
    if len(values) == n_layer:
        return max(0, values[layer])
    return _first(values)
