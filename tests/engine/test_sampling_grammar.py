"""Draws that follow a grammar, against llama.cpp's grammar asked about the whole vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.llama.library import api
from engine.llama.model import Model
from engine.llama.sampling import Sampler
from engine.llama.sampling_grammar import Grammar, bytes_tell
from engine.llama.sampling_window import Candidates, Logits
from engine.llama.vocabulary import Vocabulary
from engine.settings import EngineSettings, GenerationSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.model

JSON = """root ::= "{" ws "\\"name\\"" ws ":" ws text ws "}"
text ::= "\\"" ([^"\\\\\\x7F\\x00-\\x1F] | "\\\\" ["\\\\nt])* "\\""
ws ::= | " " | "\\n" [ \\t]{0,8}"""
# Rules, and a text that follows them.
RULES = {
    "letters": ("root ::= [a-z]+ ([ ,.] [a-z]+)*", "words and, more words"),
    "few words": ('root ::= "yes" | "no" | " maybe"', "yes"),
    "json": (JSON, '{ "name": "Zoë 北京 🙂\\n"}'),
    "any character": ("root ::= .*", "as it é 京 comes"),
    "beyond ascii": ("root ::= [ㄱ-힣]+ [ ]? [一-龥]+", "한국 北京"),
    "all but": ("root ::= [^é]*", "all but è one"),
    "a token": ('root ::= "a" <[30]>* "b"', "a"),
}


class Fixture:
    """A model of which only the vocabulary is used, and logits for it."""

    def __init__(self, path: Path) -> None:
        self.model = Model(EngineSettings(model_path=str(path), n_ctx=64), [], lambda *_: True)
        self.vocabulary = Vocabulary(self.model.handle)
        random = np.random.default_rng(5)
        self.logits: Logits = random.normal(0, 3, self.vocabulary.n_vocab).astype(np.float32)

    def grammar(self, rules: str) -> Grammar:
        return Grammar(rules, self.vocabulary, self.model.handle)

    def states(self, rules: str, text: str) -> Iterator[Grammar]:
        """The grammar before each token of a text, and at its end."""
        grammar = self.grammar(rules)
        for token in self.vocabulary.tokenize(text, special=False).tolist():
            if not grammar.allows(token):
                break
            yield grammar
            grammar.accept(token)
        yield grammar
        grammar.close()

    def allowed(self, grammar: Grammar) -> set[int]:
        """The tokens that may come next, each of all having been asked about."""
        found = Candidates()
        found.take(np.arange(len(self.logits)), self.logits, 0.0)
        grammar.restrict(found.native)
        return set(found.ids[found.logits > -np.inf].tolist())


@pytest.fixture(scope="module", params=("demo", "gemma"))
def real(request: pytest.FixtureRequest, demo_model: Path, gemma_model: Path) -> Iterator[Fixture]:
    fixture = Fixture(demo_model if request.param == "demo" else gemma_model)
    yield fixture
    fixture.model.close()


@pytest.mark.parametrize("name", RULES)
def test_nothing_that_may_come_is_left_out(real: Fixture, name: str) -> None:
    rules, text = RULES[name]
    for grammar in real.states(rules, text):
        allowed, possible = real.allowed(grammar), grammar.possible()
        if possible is None:
            assert name in ("all but", "a token")
            continue
        assert len(possible) == len(set(possible.tolist()))
        assert allowed <= set(possible.tolist())
        if len(allowed) < 100 and name != "beyond ascii":
            assert len(possible) < real.vocabulary.n_vocab // 10


def test_parentheses_that_would_end_the_process_are_refused(real: Fixture) -> None:
    deep = 'root ::= [(] "((" {}"a"{} # (('
    real.grammar(deep.format("(" * 500, ")" * 500)).close()
    for depth in (501, 20_000):
        with pytest.raises(UserError) as caught:
            real.grammar(deep.format("(" * depth, ")" * depth))
        assert caught.value.code == "engine.grammar_too_deep"
        assert f"{depth:,}" in caught.value.message


def test_ends_may_come_where_the_rules_are_met(real: Fixture) -> None:
    ends = [
        [token for token in possible.tolist() if real.vocabulary.is_eog(token)]
        for grammar in real.states(*RULES["few words"])
        if (possible := grammar.possible()) is not None
    ]
    assert not any(ends[:-1])
    assert real.vocabulary.eos in ends[-1]


@pytest.mark.parametrize(
    ("rules", "tell"),
    [
        (RULES["json"][0], True),
        ('root ::= "<b>" [<>]* # <token>', True),
        ('root ::= [^"é]', False),
        ("root ::= [^\\u00e9]", False),
        ("root ::= [é] [^a]", True),
        ("root ::= <think>", False),
        ('root ::= "a" !<[7]>', False),
    ],
)
def test_first_bytes_tell_unless_tokens_are_named(rules: str, tell: bool) -> None:
    assert bytes_tell(rules) == tell


SETTINGS = {
    "defaults": GenerationSettings(seed=7),
    "typical": GenerationSettings(seed=7, typical_p=0.9),
    "greedy": GenerationSettings(seed=7, temperature=0.0),
    "top_p alone": GenerationSettings(seed=7, top_k=0, top_p=0.9, min_p=0.0),
    "min_p alone": GenerationSettings(seed=7, top_k=0, top_p=1.0, min_p=0.05),
    "nothing cut": GenerationSettings(seed=7, top_k=0, top_p=1.0, min_p=0.0, temperature=1.0),
    "repeat": GenerationSettings(seed=7, repeat_penalty=1.3, logit_bias=("30=4",)),
}


def whole_chain(settings: GenerationSettings) -> Any:
    """The samplers behind the grammar, as llama.cpp's own programs order them."""
    native = api()
    chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
    for step in (
        native.llama_sampler_init_top_k(settings.top_k),
        native.llama_sampler_init_typical(settings.typical_p, 0),
        native.llama_sampler_init_top_p(settings.top_p, 0),
        native.llama_sampler_init_min_p(settings.min_p, 0),
        native.llama_sampler_init_temp(settings.temperature),
        native.llama_sampler_init_dist(settings.seed),
    ):
        native.llama_sampler_chain_add(chain, step)
    return chain


def expected(real: Fixture, grammar: Grammar, settings: GenerationSettings) -> dict[int, float]:
    """Probabilities over the whole vocabulary, of which the grammar rules out what it does."""
    logits = real.logits.copy()
    if settings.logit_bias:
        logits[30] += 4
    found = Candidates()
    # Only what is left: llama.cpp's typical sampling does not get along with ruled out tokens.
    left = np.array(sorted(real.allowed(grammar)), dtype=np.intp)
    found.take(left, logits[left], 0.0)
    chain = whole_chain(settings)
    api().llama_sampler_apply(chain, found.native)
    api().llama_sampler_free(chain)
    return {token: p for token, p in found.survivors().items() if p > 0}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("rules", ["letters", "few words", "json", "all but"])
def test_draws_are_between_the_tokens_of_the_whole_vocabulary(
    real: Fixture, name: str, rules: str
) -> None:
    settings = GenerationSettings(
        **{
            **{field: getattr(SETTINGS[name], field) for field in SETTINGS[name].__struct_fields__},
            "grammar": RULES[rules][0],
        }
    )
    grammar = real.grammar(RULES[rules][0])
    probabilities = expected(real, grammar, settings)
    grammar.close()
    sampler = Sampler(settings, real.model.handle, real.vocabulary, n_ctx=64)
    token = sampler._draw(real.logits.copy(), constrained=True)
    got = {token: p for token, p in sampler.candidates.survivors().items() if p > 0}
    sampler.close()
    assert token in probabilities
    # Over many tokens llama.cpp adds up top-p in 32 bits, which moves its cut by a few.
    differing = got.keys() ^ probabilities.keys()
    assert not differing or name == "top_p alone"
    assert sum(got.get(t, 0.0) + probabilities.get(t, 0.0) for t in differing) < 2e-3
    for candidate in got.keys() & probabilities.keys():
        assert got[candidate] == pytest.approx(probabilities[candidate], rel=4e-3)
