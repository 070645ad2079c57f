"""What a benchmark plans to time and what its figures come to."""

from __future__ import annotations

import pytest

from engine.bench.plan import CHAINS, Contender, Plan, Trial, contenders_of, trials_of
from engine.bench.statistics import ratios_of, run_of
from engine.errors import UserError
from engine.settings import GenerationSettings

_SETTINGS = GenerationSettings(temperature=0.5)


def test_every_length_is_timed_at_every_depth() -> None:
    trials = trials_of([512, 64], [128], [0, 4096, 0])
    assert [trial.name for trial in trials] == [
        "pp512",
        "pp64",
        "tg128",
        "pp512 @ d4096",
        "pp64 @ d4096",
        "tg128 @ d4096",
    ]


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(UserError) as caught:
        trials_of([0], [0], [0])
    assert caught.value.code == "bench.nothing"


def test_the_context_holds_the_longest_test() -> None:
    plan = Plan(trials_of([512], [1000], [0, 4096]), (), 1)
    assert plan.n_ctx % 256 == 0
    assert 4096 + 1000 < plan.n_ctx <= 4096 + 1000 + 258


def test_the_product_comes_first_with_the_settings_given() -> None:
    contenders = contenders_of(_SETTINGS, chains=(), raw=True, peers=("server",))
    assert [each.label for each in contenders] == ["product", "raw", "server"]
    assert contenders[0].generation == contenders[2].generation == _SETTINGS


def test_only_the_first_chain_reads() -> None:
    contenders = contenders_of(_SETTINGS, chains=("full", "greedy"), raw=True, peers=())
    read, write = Trial("pp", 8, 0), Trial("tg", 8, 0)
    assert [each.takes(read) for each in contenders] == [True, False, True]
    assert all(each.takes(write) for each in contenders)


def test_an_unknown_chain_names_those_there_are() -> None:
    with pytest.raises(UserError) as caught:
        contenders_of(_SETTINGS, chains=("fastest",), raw=False, peers=())
    assert caught.value.code == "bench.no_chain"
    assert all(name in caught.value.fix for name in CHAINS)


def test_figures_are_medians_and_the_spread_leaves_outliers_out() -> None:
    run = run_of(Trial("tg", 100, 0), Contender("raw"), [1.0, 1.0, 0.5, 2.0, 100.0])
    assert run.tokens_per_second == 100.0
    assert run.spread == 25.0
    assert run.samples == (100.0, 100.0, 200.0, 50.0, 1.0)
    assert run_of(Trial("tg", 100, 0), Contender("raw"), [1.0]).spread == 0.0


def test_ratios_are_of_the_product_to_each_other_mode_of_the_same_test() -> None:
    shallow, deep = Trial("tg", 10, 0), Trial("tg", 10, 64)
    product, raw = Contender("product", "full"), Contender("raw")
    runs = [
        run_of(shallow, product, [2.0]),
        run_of(shallow, raw, [1.0]),
        run_of(deep, product, [4.0]),
        run_of(deep, raw, [1.0]),
    ]
    assert ratios_of(runs) == {"product full/raw": {"tg10": 0.5, "tg10 @ d64": 0.25}}
