"""llama.cpp's own samplers as two chains: what adjusts logits, and what then picks a token."""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.llama.library import address_of, api, log_sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.settings import GenerationSettings

# What llama.cpp's own programs end a repeated sequence at.
_DRY_BREAKERS = ("\n", ":", '"', "*")


class Chain:
    """Owns a `llama_sampler` chain and the samplers in it.

    Attributes:
        address: Of the chain in memory.
        length: How many samplers are in it.
    """

    def __init__(self) -> None:
        native = api()
        self._native = native
        self.handle: Any = native.llama_sampler_chain_init(
            native.llama_sampler_chain_default_params()
        )
        self._apply = native.llama_sampler_apply
        self.address = address_of(self.handle)
        self.length = 0

    def add(self, sampler: int | None) -> None:
        """Append a sampler, which the chain frees from now on."""
        if not sampler:
            raise UserError("engine.sampler_refused", detail="\n".join(log_sink.complaints()))
        self._native.llama_sampler_chain_add(self.handle, sampler)
        self.length += 1

    def apply(self, candidates: Any) -> None:  # noqa: ANN401
        """Run all samplers over a `llama_token_data_array` (by reference)."""
        self._apply(self.handle, candidates)

    def accept(self, token: int) -> None:
        """Tell the samplers that a token was chosen."""
        self._native.llama_sampler_accept(self.handle, token)

    def close(self) -> None:
        """Free the samplers."""
        handle, self.handle = self.handle, 0
        if handle:
            self._native.llama_sampler_free(handle)


def adjusting_chain(
    settings: GenerationSettings, vocab: int, n_vocab: int, n_ctx: int, bias: Mapping[int, float]
) -> Chain:
    """Bias, penalties and DRY: they change single logits and drop no token."""
    native, chain = api(), Chain()
    if bias:
        pairs = (native.llama_logit_bias * len(bias))(*bias.items())
        chain.add(native.llama_sampler_init_logit_bias(n_vocab, len(bias), pairs))
    last_n = n_ctx if settings.repeat_last_n < 0 else settings.repeat_last_n
    if last_n and has_penalties(settings):
        chain.add(
            native.llama_sampler_init_penalties(
                n_vocab,
                last_n,
                settings.repeat_penalty,
                settings.frequency_penalty,
                settings.presence_penalty,
            )
        )
    if settings.dry_multiplier > 0:
        breakers = (ctypes.c_char_p * len(_DRY_BREAKERS))(*(b.encode() for b in _DRY_BREAKERS))
        chain.add(
            native.llama_sampler_init_dry(
                vocab,
                settings.dry_multiplier,
                settings.dry_base,
                settings.dry_allowed_length,
                last_n or n_ctx,
                breakers,
                len(_DRY_BREAKERS),
            )
        )
    return chain


def choosing_chain(settings: GenerationSettings, seed: int, *, top_p: bool) -> Chain:
    """Truncation, temperature and the draw, in llama.cpp's order.

    Args:
        settings: What the user asked for.
        seed: Seed of the draw.
        top_p: Whether the chain cuts by top-p itself.
    """
    native, chain = api(), Chain()
    if settings.top_k > 0:
        chain.add(native.llama_sampler_init_top_k(settings.top_k))
    if settings.typical_p < 1:
        chain.add(native.llama_sampler_init_typical(settings.typical_p, 0))
    if top_p and settings.top_p < 1:
        chain.add(native.llama_sampler_init_top_p(settings.top_p, 0))
    if settings.min_p > 0:
        chain.add(native.llama_sampler_init_min_p(settings.min_p, 0))
    if settings.xtc_probability > 0:
        chain.add(
            native.llama_sampler_init_xtc(settings.xtc_probability, settings.xtc_threshold, 0, seed)
        )
    chain.add(native.llama_sampler_init_temp(settings.temperature))
    chain.add(native.llama_sampler_init_dist(seed))
    return chain


def has_penalties(settings: GenerationSettings) -> bool:
    """Whether any of the penalties on recent tokens is on."""
    return bool(
        settings.repeat_penalty != 1.0 or settings.presence_penalty or settings.frequency_penalty
    )


def token_biases(
    pairs: Sequence[str],
    vocab: int,
    single_token: Callable[[str], int | None],
    n_vocab: int,
) -> dict[int, float]:
    """Biases by token id: the user's ``token=bias`` pairs and what the model itself rules out.

    Raises:
        UserError: ``engine.logit_bias`` for a pair that is none.
    """
    biases: dict[int, float] = {}
    for pair in pairs:
        name, _, value = pair.rpartition("=")
        token = int(name) if name.strip().isdecimal() else single_token(name)
        try:
            bias = float(value)
        except ValueError:
            bias = math.nan
        if token is None or not 0 <= token < n_vocab or math.isnan(bias):
            raise UserError("engine.logit_bias", pair=pair)
        biases[token] = bias
    count = ctypes.c_int32(0)
    suppressed = api().llama_vocab_get_suppress_tokens(vocab, ctypes.byref(count))
    for index in range(count.value):
        biases[int(suppressed[index])] = -math.inf
    return biases
