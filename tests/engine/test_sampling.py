"""The windowed sampler against llama.cpp's full chain over the whole vocabulary."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.llama.abort import AbortFlag
from engine.llama.context import Context
from engine.llama.library import api
from engine.llama.model import Model
from engine.llama.sampling import Sampler
from engine.llama.sampling_search import compiled_library
from engine.llama.stepping import Stepper
from engine.llama.vocabulary import Vocabulary
from engine.models.demo import demo_model_path
from engine.settings import EngineSettings, GenerationSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.model

# What it may go on with stands at its beginning alone, before the default window of the penalties.
TEXT = (
    "The king said that the people, the city, the world and the whole land were his. The past of "
    "that town begins long before its walls were built. Traders came up the river, the river, the "
    "river, and they sold salt: 1, 2, 3, 4, 5. They were many and became rich. Then the king said "
    "that the"
)
# Each takes another way through the sampler.
SETTINGS = {
    "defaults": GenerationSettings(seed=7),
    "hot": GenerationSettings(seed=7, temperature=2.0, top_k=100, top_p=1.0, min_p=0.0),
    "top_p alone": GenerationSettings(seed=7, top_k=0, top_p=0.9, min_p=0.0),
    "top_p wide": GenerationSettings(seed=7, top_k=0, top_p=0.999, min_p=0.0, temperature=1.5),
    "min_p alone": GenerationSettings(seed=7, top_k=0, top_p=1.0, min_p=0.05),
    "min_p tiny": GenerationSettings(seed=7, top_k=0, top_p=1.0, min_p=0.001, temperature=1.3),
    "nothing cut": GenerationSettings(seed=7, top_k=0, top_p=1.0, min_p=0.0, temperature=1.0),
    "nothing cut, repeat": GenerationSettings(
        seed=7, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.4, logit_bias=("260=-inf", "30=4")
    ),
    "nothing cut, bias": GenerationSettings(
        seed=7, top_k=0, top_p=1.0, min_p=0.0, logit_bias=("4000=16", "260=-inf", "30=4")
    ),
    "nothing cut, dry": GenerationSettings(
        seed=7, top_k=0, top_p=1.0, min_p=0.0, dry_multiplier=1.0
    ),
    "typical": GenerationSettings(seed=7, top_k=60, typical_p=0.8),
    "typical alone": GenerationSettings(seed=7, top_k=0, typical_p=0.8, top_p=1.0, min_p=0.0),
    "xtc": GenerationSettings(seed=7, xtc_probability=0.9, xtc_threshold=0.05, temperature=1.2),
    "repeat": GenerationSettings(seed=7, repeat_penalty=1.3),
    "repeat, top_p alone": GenerationSettings(seed=7, repeat_penalty=1.3, top_k=0, min_p=0.0),
    "repeat, min_p alone": GenerationSettings(
        seed=7, repeat_penalty=1.8, repeat_last_n=-1, top_k=0, top_p=1.0, min_p=0.1
    ),
    "presence and frequency": GenerationSettings(
        seed=7, presence_penalty=1.5, frequency_penalty=0.7, repeat_last_n=-1
    ),
    "most are pushed out": GenerationSettings(
        seed=7, top_k=8, presence_penalty=40.0, repeat_last_n=-1
    ),
    "raising": GenerationSettings(
        seed=7, presence_penalty=-2.0, frequency_penalty=-1.0, repeat_penalty=0.7
    ),
    "raising, top_p alone": GenerationSettings(
        seed=7, presence_penalty=-2.0, top_k=0, min_p=0.0, top_p=0.9
    ),
    "dry": GenerationSettings(seed=7, dry_multiplier=2.0, dry_allowed_length=1),
    "dry, top_p alone": GenerationSettings(
        seed=7, dry_multiplier=2.0, dry_allowed_length=1, top_k=0, min_p=0.0
    ),
    "bias": GenerationSettings(seed=7, logit_bias=("260=-inf", "4000=25", "30=-3")),
    "bias, top_p alone": GenerationSettings(
        seed=7, logit_bias=("260=-inf", "4000=20"), top_k=0, min_p=0.0
    ),
    "greedy": GenerationSettings(seed=7, temperature=0.0),
    "greedy, repeat": GenerationSettings(seed=7, temperature=0.0, repeat_penalty=1.5),
    "greedy, bias": GenerationSettings(seed=7, temperature=0.0, logit_bias=("4000=25",)),
    "everything": GenerationSettings(
        seed=7,
        repeat_penalty=1.1,
        presence_penalty=0.3,
        frequency_penalty=0.2,
        dry_multiplier=0.8,
        typical_p=0.95,
        logit_bias=("30=-3",),
    ),
}


class Fixture:
    """A model, its vocabulary, a text's tokens and the logits after some of them."""

    def __init__(self) -> None:
        settings = EngineSettings(
            model_path=str(demo_model_path()), n_ctx=512, n_threads=2, n_threads_batch=2
        )
        self.model = Model(settings, [], lambda *_: True)
        self.vocabulary = Vocabulary(self.model.handle)
        self.context = Context(self.model, settings, AbortFlag())
        self.tokens = self.vocabulary.tokenize(TEXT, special=False)
        self.rows: list[tuple[int, np.ndarray[Any, np.dtype[np.float32]]]] = []
        for position, token in enumerate(self.tokens):
            self.context.decode([int(token)], position)
            if position % 10 == 6 or position == len(self.tokens) - 1:
                self.rows.append((position + 1, self.context.logits().copy()))

    def close(self) -> None:
        self.context.close()
        self.model.close()

    def sampler(self, settings: GenerationSettings, length: int) -> Sampler:
        return Sampler(
            settings, self.model.handle, self.vocabulary, n_ctx=512, prompt=self.tokens[:length]
        )


@pytest.fixture(scope="module")
def real() -> Iterator[Fixture]:
    fixture = Fixture()
    yield fixture
    fixture.close()


def full_chain(real: Fixture, settings: GenerationSettings, length: int) -> Any:
    """llama.cpp's chain as its own programs build it, told of the tokens before."""
    native = api()
    vocab = native.llama_model_get_vocab(real.model.handle)
    chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
    n_vocab = real.vocabulary.n_vocab
    last_n = 512 if settings.repeat_last_n < 0 else settings.repeat_last_n
    pairs = [pair.split("=") for pair in settings.logit_bias]
    biases = (native.llama_logit_bias * max(1, len(pairs)))(
        *(native.llama_logit_bias(int(token), float(bias)) for token, bias in pairs)
    )
    breakers = (ctypes.c_char_p * 4)(b"\n", b":", b'"', b"*")
    steps = [
        native.llama_sampler_init_logit_bias(n_vocab, len(pairs), biases),
        native.llama_sampler_init_penalties(
            n_vocab,
            last_n,
            settings.repeat_penalty,
            settings.frequency_penalty,
            settings.presence_penalty,
        ),
        native.llama_sampler_init_dry(
            vocab,
            settings.dry_multiplier,
            settings.dry_base,
            settings.dry_allowed_length,
            last_n,
            breakers,
            4,
        ),
        native.llama_sampler_init_top_k(settings.top_k),
        native.llama_sampler_init_typical(settings.typical_p, 0),
        native.llama_sampler_init_top_p(settings.top_p, 0),
        native.llama_sampler_init_min_p(settings.min_p, 0),
        native.llama_sampler_init_xtc(
            settings.xtc_probability, settings.xtc_threshold, 0, settings.seed
        ),
        native.llama_sampler_init_temp(settings.temperature),
        native.llama_sampler_init_dist(settings.seed),
    ]
    for step in steps:
        native.llama_sampler_chain_add(chain, step)
    for token in real.tokens[:length]:
        native.llama_sampler_accept(chain, int(token))
    return chain


def drawn(chain: Any, logits: Any) -> tuple[int, dict[int, float]]:
    """A token from the full chain, and what each surviving token's probability was."""
    native = api()
    data = (native.llama_token_data * len(logits))()
    view = np.ctypeslib.as_array(data)
    view["id"], view["logit"], view["p"] = np.arange(len(logits)), logits, 0
    array = native.llama_token_data_array(data=data, size=len(logits), selected=-1, sorted=False)
    native.llama_sampler_apply(chain, ctypes.byref(array))
    left = {array.data[i].id: array.data[i].p for i in range(array.size)}
    return array.data[array.selected].id, {token: p for token, p in left.items() if p > 0}


@pytest.mark.parametrize("name", SETTINGS)
def test_candidates_and_probabilities_are_those_of_the_full_chain(real: Fixture, name: str) -> None:
    settings = SETTINGS[name]
    for length, logits in real.rows:
        chain = full_chain(real, settings, length)
        sampler = real.sampler(settings, length)
        for _ in range(2):
            expected, probabilities = drawn(chain, logits)
            token = sampler.sample(logits.copy())
            assert token in probabilities
            if settings.temperature <= 0:
                assert token == expected
                continue
            if name in ("nothing cut", "nothing cut, repeat", "nothing cut, bias"):
                # Drawn without candidates; the distribution is tested below.
                continue
            got = {t: p for t, p in sampler.candidates.survivors().items() if p > 0}
            # Over a whole vocabulary llama.cpp adds up top-p in 32 bits, which moves its cut by
            # a few of the rarest tokens.
            differing = got.keys() ^ probabilities.keys()
            assert not differing or settings.top_k == 0
            slack = 2e-3 if settings.top_p <= 0.95 else 2e-2
            assert sum(got.get(t, 0.0) + probabilities.get(t, 0.0) for t in differing) < slack
            for candidate in got.keys() & probabilities.keys():
                assert got[candidate] == pytest.approx(probabilities[candidate], rel=2 * slack)
            if settings.top_k > 0:
                # Both sort by logit, so the same random number means the same token.
                assert token == expected
        sampler.close()
        api().llama_sampler_free(chain)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, settings in SETTINGS.items()
        if (settings.top_k or settings.temperature <= 0)
        and name not in ("raising", "bias", "greedy, bias")
    ],
)
def test_a_compiled_step_draws_what_the_full_chain_draws(real: Fixture, name: str) -> None:
    if compiled_library() is None:
        pytest.skip("nothing was compiled here")
    settings = SETTINGS[name]
    for length, logits in real.rows:
        # Those that were written before are likeliest, so that penalties have what to push out.
        repeating = logits.copy()
        repeating[real.tokens[:length]] += 12
        for row in (logits, repeating):
            chain = full_chain(real, settings, length)
            sampler = real.sampler(settings, length)
            stepper = Stepper.of(real.context, sampler, decodes=False, stops=False)
            assert stepper is not None
            real.context.logits()[:] = row
            for _ in range(3):
                assert stepper.step(length) == drawn(chain, row)[0]
            sampler.close()
            api().llama_sampler_free(chain)


@pytest.mark.parametrize(
    "name",
    [
        "defaults",
        "top_p alone",
        "min_p tiny",
        "nothing cut",
        "nothing cut, repeat",
        "nothing cut, bias",
        "everything",
    ],
)
def test_draws_follow_the_full_chains_distribution(real: Fixture, name: str) -> None:
    settings = SETTINGS[name]
    length, logits = max(real.rows, key=lambda row: -row[1].max())
    chain = full_chain(real, settings, length)
    _, probabilities = drawn(chain, logits)
    sampler = real.sampler(settings, length)
    draws = 2500
    counts = Counter(sampler.sample(logits) for _ in range(draws))
    sampler.close()
    api().llama_sampler_free(chain)
    assert counts.keys() <= probabilities.keys()
    assert chi_square_is_plausible(counts, probabilities, draws)


def chi_square_is_plausible(
    counts: Counter[int], probabilities: dict[int, float], draws: int
) -> bool:
    """Whether the statistic lies within five standard deviations of its mean; rare ones pooled."""
    expected = {token: p * draws for token, p in probabilities.items()}
    common = [token for token, number in expected.items() if number >= 5]
    rest = draws - sum(expected[token] for token in common)
    observed_rest = draws - sum(counts[token] for token in common)
    statistic = sum((counts[t] - expected[t]) ** 2 / expected[t] for t in common)
    freedom = len(common) - 1
    if rest >= 5:
        statistic += (observed_rest - rest) ** 2 / rest
        freedom += 1
    return statistic <= freedom + 5 * math.sqrt(2 * max(1, freedom))


def test_equal_logits_leave_every_token_possible(real: Fixture) -> None:
    flat = np.zeros(real.vocabulary.n_vocab, dtype=np.float32)
    sampler = real.sampler(GenerationSettings(seed=3, top_k=0, top_p=1.0, min_p=0.5), 4)
    tokens = {sampler.sample(flat) for _ in range(40)}
    sampler.close()
    assert len(tokens) > 35


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_broken_logits_are_said(real: Fixture, value: float) -> None:
    logits = real.rows[0][1].copy()
    logits[100] = value
    sampler = real.sampler(GenerationSettings(seed=3), 4)
    with pytest.raises(UserError) as raised:
        sampler.sample(logits)
    sampler.close()
    assert raised.value.code == "engine.bad_logits"


@pytest.mark.parametrize("pair", ["nonsense", "99999999=1", "3=x", "two words=1", "5=nan"])
def test_a_bias_that_is_none_is_refused(real: Fixture, pair: str) -> None:
    with pytest.raises(UserError) as raised:
        real.sampler(GenerationSettings(logit_bias=(pair,)), 4)
    assert raised.value.code == "engine.logit_bias"


def test_a_grammar_lets_only_its_own_tokens_through(real: Fixture) -> None:
    settings = GenerationSettings(seed=3, grammar='root ::= "yes" | "no"', temperature=1.5)
    _, logits = real.rows[-1]
    sampler = real.sampler(settings, 4)
    text = b""
    for _ in range(8):
        token = sampler.sample(logits)
        if real.vocabulary.is_eog(token):
            break
        sampler.accept(token)
        text += real.vocabulary.piece(token)
    sampler.close()
    assert text in (b"yes", b"no")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (GenerationSettings(grammar="root ::= ("), "engine.grammar"),
        (GenerationSettings(grammar='other ::= "x"'), "engine.grammar"),
        (GenerationSettings(json_schema="{"), "engine.json_schema"),
        (GenerationSettings(json_schema="[]"), "engine.json_schema"),
        (GenerationSettings(json_schema="{}", grammar='root ::= "x"'), "engine.grammar_and_schema"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(
    real: Fixture, settings: GenerationSettings, code: str
) -> None:
    with pytest.raises(UserError) as raised:
        real.sampler(settings, 4)
    assert raised.value.code == code
