"""Benchmarks that run: what is read when, and other programs taking their turns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.bench.peers import PeerProcess
from engine.bench.plan import Plan, contenders_of, trials_of
from engine.bench.report import table
from engine.bench.runner import Runner
from engine.bench.talk import Setup
from engine.errors import UserError
from engine.llama.engine import Engine
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Bench, PrefillProgress, Prompt, Turn
from engine.worker.session import BlockingWorker
from tests.engine.blank_model import N_VOCAB, write_blank_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.bench.plan import Mode

pytestmark = pytest.mark.model

_GENERATION = GenerationSettings(seed=1)
_BENCH = Bench(
    request_id=1, n_prompt=0, n_generate=0, depth=0, repetitions=2, generation=_GENERATION
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    model = write_blank_model(tmp_path_factory.mktemp("bench") / "blank.gguf")
    return EngineSettings(model_path=str(model), n_ctx=1024, n_threads=1, n_threads_batch=1)


@pytest.fixture
def engine(settings: EngineSettings) -> Iterator[Engine]:
    engine = Engine()
    engine.load(settings, progress=lambda *_: True)
    yield engine
    engine.close()


def _read(engine: Engine, command: Bench) -> list[int]:
    """How many tokens each prefill of a command read."""
    read = []

    def note(event: object) -> None:
        if isinstance(event, PrefillProgress) and event.done == event.total:
            read.append(event.total - event.cached)

    engine.bench(command, emit=note)
    return [tokens for tokens in read if tokens]


def test_every_repetition_reads_its_whole_prompt(engine: Engine) -> None:
    assert _read(engine, replace(_BENCH, n_prompt=200)) == [200, 200, 200]


def test_the_depth_is_read_once(engine: Engine) -> None:
    assert _read(engine, replace(_BENCH, n_prompt=50, depth=300)) == [300, 50, 50, 50]


def test_a_kept_depth_is_not_read_again(engine: Engine) -> None:
    once = replace(_BENCH, repetitions=1, warm_up=False, keep_depth=True, depth=300)
    assert _read(engine, replace(once, n_prompt=50)) == [300, 50]
    assert _read(engine, replace(once, n_prompt=50, raw=True)) == []
    # One token is new, so that there is something to write after.
    assert _read(engine, replace(once, n_generate=8)) == [1]
    assert _read(engine, replace(once, n_prompt=50, depth=100)) == [50]


def test_what_was_not_kept_is_read_again(engine: Engine) -> None:
    command = replace(_BENCH, repetitions=1, warm_up=False, depth=300, n_prompt=50)
    assert _read(engine, command) == _read(engine, command) == [300, 50]


@pytest.mark.parametrize("raw", [False, True])
def test_each_repetition_counts_once(engine: Engine, raw: bool) -> None:
    command = replace(_BENCH, n_prompt=64, n_generate=8, depth=64, raw=raw)
    result = engine.bench(command, emit=lambda _event: None)
    assert len(result.prompt_s) == len(result.generate_s) == 2
    assert min(*result.prompt_s, *result.generate_s) > 0
    assert result.worker_rss_bytes > 10_000_000


def test_a_test_that_does_not_fit_is_refused(engine: Engine) -> None:
    with pytest.raises(UserError) as caught:
        _read(engine, replace(_BENCH, n_prompt=512, depth=512))
    assert caught.value.code == "engine.bench_too_long"


def test_without_a_vocabulary_there_is_no_text_and_no_grammar(engine: Engine) -> None:
    turns = (Turn(role="user", text="Hello"),)
    with pytest.raises(UserError) as caught:
        engine.generate(
            Prompt(chat_id="chat", turns=turns),
            _GENERATION,
            emit=lambda _event: None,
            request_id=1,
        )
    assert caught.value.code == "engine.no_vocabulary"
    constrained = replace(_GENERATION, grammar='root ::= "a"')
    with pytest.raises(UserError) as caught:
        _read(engine, replace(_BENCH, n_generate=4, generation=constrained))
    assert caught.value.code == "engine.no_vocabulary"
    assert engine.count(["Hello"]) == (0,)


def test_modes_take_turns_and_all_are_timed(settings: EngineSettings) -> None:
    plan = Plan(
        trials_of([32], [4], [0, 64]),
        contenders_of(_GENERATION, chains=("greedy", "full"), raw=True, peers=("llama-class",)),
        repetitions=2,
    )
    said: list[str] = []
    with BlockingWorker() as worker:
        outcome = Runner(worker, worker.load(settings), progress=said.append).run(plan)
    timed = [(run.name, run.label) for run in outcome.runs]
    assert timed[:3] == [("pp32", "product greedy"), ("pp32", "raw"), ("pp32", "llama-class")]
    assert len(timed) == 2 * (3 + 4)
    assert all(len(run.samples) == 2 and run.tokens_per_second > 0 for run in outcome.runs)
    assert outcome.missing == ()
    assert "llama-cpp-python" in outcome.versions["llama-class"]
    turns = [text for text in said if text.startswith("tg4: ")]
    assert [text.split(", ")[0] for text in turns[:4]] == [
        "tg4: product greedy",
        "tg4: product full",
        "tg4: raw",
        "tg4: llama-class",
    ]


def test_a_peer_that_dies_drops_out(settings: EngineSettings) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    # llama-server aborts on a file without a vocabulary.
    plan = Plan(
        trials_of([8], [4], [0]),
        contenders_of(_GENERATION, chains=(), raw=False, peers=("server",)),
        repetitions=1,
    )
    with BlockingWorker() as worker:
        outcome = Runner(worker, worker.load(settings)).run(plan)
    assert [(run.name, run.mode) for run in outcome.runs] == [
        ("pp8", "product"),
        ("tg4", "product"),
    ]
    assert [each.problem.code for each in outcome.missing] == ["bench.peer_died"]
    assert outcome.missing[0].test == "pp8"


def test_a_peer_that_is_not_installed_drops_out(
    settings: EngineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    peers: tuple[Mode, ...] = ("server", "llama-class")
    contenders = contenders_of(_GENERATION, chains=(), raw=False, peers=peers)
    told: list[str] = []
    with BlockingWorker() as worker:
        loaded = worker.load(settings)
        runner = Runner(worker, loaded, on_problem=lambda problem: told.append(problem.code))
        outcome = runner.run(Plan(trials_of([8], [], [0]), contenders, repetitions=1))
    assert [run.mode for run in outcome.runs] == ["product", "llama-class"]
    assert told == ["bench.peer_missing"]
    assert outcome.missing[0].words == "could not run: it is not installed"
    last = table(outcome.runs, outcome.missing).splitlines()[3]
    assert last.split(maxsplit=2) == ["pp8", "server", outcome.missing[0].words]


def _setup(settings: EngineSettings, generation: GenerationSettings = _GENERATION) -> Setup:
    return Setup(
        settings=settings,
        generation=generation,
        n_threads=1,
        n_threads_batch=1,
        n_vocab=N_VOCAB,
        flash_attn=True,
    )


def test_a_peer_says_what_it_lacks(settings: EngineSettings) -> None:
    with PeerProcess("llama-class") as peer, pytest.raises(UserError) as caught:
        peer.set_up(_setup(settings, GenerationSettings(dry_multiplier=0.5)))
    assert caught.value.code == "bench.peer_failed"
    assert "DRY" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"devices": ("127.0.0.1:50052",)}, "devices"), ({"n_cpu_moe": 3}, "experts")],
)
def test_a_peer_that_would_compute_elsewhere_is_refused(
    settings: EngineSettings, changes: dict[str, object], told: str
) -> None:
    with PeerProcess("llama-class") as peer, pytest.raises(UserError) as caught:
        peer.set_up(_setup(replace(settings, **changes)))
    assert caught.value.code == "bench.peer_failed"
    assert told in caught.value.message


def test_where_there_is_only_the_processor_none_can_differ(settings: EngineSettings) -> None:
    with PeerProcess("llama-class", on_cpu=True) as peer:
        assert peer.set_up(_setup(replace(settings, devices=("cpu",))))


@pytest.mark.parametrize("mode", ["llama-class", "server"])
def test_a_peer_without_its_file_says_so(mode: Mode, tmp_path: Path) -> None:
    if mode == "server":
        pytest.importorskip("xllamacpp", exc_type=ImportError)
    gone = EngineSettings(model_path=str(tmp_path / "gone.gguf"))
    with PeerProcess(mode) as peer, pytest.raises(UserError) as caught:
        peer.set_up(_setup(gone))
    assert caught.value.code in ("bench.peer_failed", "bench.peer_died")


def test_the_server_is_timed(demo_model: Path) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    settings = EngineSettings(model_path=str(demo_model), n_ctx=256)
    plan = trials_of([8], [2], [16])
    with PeerProcess("server") as peer:
        version = peer.set_up(replace(_setup(settings), n_vocab=49_152))
        seconds = [peer.time(trial) for trial in plan]
    assert version.startswith("xllamacpp ")
    assert all(0 < each < 300 for each in seconds)
