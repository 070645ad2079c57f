"""A draft model: same replies, guesses that come true, and refusals that say why."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun
from engine.llama.engine import Cancelled, Engine
from engine.llama.guess_costs import Costs
from engine.llama.guesses import DraftGuesser
from engine.models.demo import demo_model_path
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Finished, Prompt, ReplyEvent, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.model

ZOO = Path(__file__).parents[1] / "data" / "zoo"
ALONE = EngineSettings(
    model_path=str(demo_model_path()), n_ctx=1024, n_threads=1, n_threads_batch=1, devices=("cpu",)
)
# A model that guesses for itself is always right.
ITSELF = replace(ALONE, draft_model=str(demo_model_path()))
CALM = GenerationSettings(temperature=0.0, max_tokens=40)
QUESTION = "Name three rivers in Europe and say where each of them ends."


class PaysAlways(Costs):
    """Has every guess pay, so that what is tested does not hang on this machine's speed."""

    def of(self, tokens: int) -> float | None:
        """A step takes as long whatever it decodes."""
        return 1.0


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine()
    made.load(ITSELF, progress=lambda *_: True)
    yield made
    made.close()


def ask(engine: Engine, generation: GenerationSettings, *turns: str) -> tuple[str, Finished]:
    events: list[ReplyEvent] = []
    roles = ("user", "assistant")
    prompt = Prompt(
        chat_id="chat",
        turns=tuple(Turn(role=roles[at % 2], text=text) for at, text in enumerate(turns)),  # type: ignore[arg-type]
    )
    done = engine.generate(prompt, generation, emit=events.append, request_id=1)
    return "".join(event.text for event in events if isinstance(event, Delta)), done


def pay(engine: Engine) -> None:
    """Let the draft guess whenever it may."""
    assert engine._loaded is not None
    assert engine._loaded.draft is not None
    engine._loaded.draft.costs = PaysAlways()


def test_the_reply_is_the_same_and_nearly_every_guess_comes_true(engine: Engine) -> None:
    pay(engine)
    guessed, done = ask(engine, CALM, QUESTION)
    alone = Engine()
    alone.load(ALONE, progress=lambda *_: True)
    plain, plainly_done = ask(alone, CALM, QUESTION)
    alone.close()
    assert guessed == plain
    assert done.context_used == plainly_done.context_used
    usage = done.usage
    assert usage.drafted_tokens > 8
    assert usage.accepted_tokens >= 0.9 * usage.drafted_tokens


def test_the_draft_reads_only_what_is_new(engine: Engine) -> None:
    pay(engine)
    reply, _ = ask(engine, CALM, QUESTION)
    assert engine._loaded is not None
    draft = engine._loaded.draft
    assert draft is not None
    held = list(draft._held)
    again = [*held, 5, 6, 7]
    draft.begin(again)
    assert draft.missing(again) == 3
    draft.begin([*held[:20], 5, 6, 7])
    assert draft.missing([*held[:20], 5, 6, 7]) == 3
    _, done = ask(engine, CALM, QUESTION, reply, "And which of them is the longest?")
    assert done.usage.accepted_tokens > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_sampling_takes_the_same_draws(engine: Engine, seed: int) -> None:
    """A guess is compared with what is sampled anyway: the same draws give the same reply."""
    pay(engine)
    warm = replace(CALM, temperature=0.9, seed=seed, max_tokens=24)
    guessed, done = ask(engine, warm, QUESTION)
    assert done.usage.drafted_tokens
    engine.load(ALONE, progress=lambda *_: True)
    plain, _ = ask(engine, warm, QUESTION)
    engine.load(ITSELF, progress=lambda *_: True)
    assert guessed == plain


def test_a_draft_that_costs_as_much_as_the_model_pauses(engine: Engine) -> None:
    drafted: list[int] = []
    # What else runs on the machine may make steps seem dear and guesses cheap, but not each time.
    while len(drafted) < 3 and (not drafted or drafted[-1] >= 30):
        engine.load(ALONE, progress=lambda *_: True)
        engine.load(ITSELF, progress=lambda *_: True)
        _, done = ask(engine, replace(CALM, max_tokens=60), QUESTION)
        drafted.append(done.usage.drafted_tokens)
    assert drafted[-1] < 30


def test_a_cancel_costs_the_draft_nothing_of_what_it_read(engine: Engine) -> None:
    pay(engine)
    ask(engine, CALM, QUESTION)
    assert engine._loaded is not None
    draft = engine._loaded.draft
    assert draft is not None
    text = [*draft._held, *range(1000, 1200)]
    engine.abort.set()
    with pytest.raises(Cancelled):
        draft.guess(text, 4)
    engine.abort.clear()
    draft.begin(text)
    assert draft.missing(text) == 200
    after = draft.guess(text, 4)
    draft._drop()
    assert [guess.token for guess in after] == [guess.token for guess in draft.guess(text, 4)]


def test_another_context_and_other_threads_keep_the_draft(engine: Engine) -> None:
    outcome = engine.load(replace(ITSELF, n_ctx=512, n_threads=2), progress=lambda *_: True)
    assert [notice.code for notice in outcome.notices] == ["engine.kv_dropped"]
    pay(engine)
    _, done = ask(engine, CALM, QUESTION)
    assert done.usage.accepted_tokens > 8
    engine.load(ITSELF, progress=lambda *_: True)


def test_the_plan_counts_what_the_load_takes() -> None:
    """Weights, KV and compute of both models, as the load's own account has them."""
    run = DryRun(ITSELF.model_path, Devices())
    alone, both = run.measure(ALONE), run.measure(ITSELF)
    run.close()
    made = Engine()
    loaded = made.load(ITSELF, progress=lambda *_: True)
    made.close()
    assert both.host.weights_bytes == 2 * alone.host.weights_bytes
    for part in ("weights_bytes", "kv_bytes", "compute_bytes"):
        taken = sum(getattr(row, part) for row in loaded.context.memory)
        assert getattr(both.host, part) == taken


@pytest.mark.parametrize(
    ("draft", "model", "code"),
    [
        ("", "", "models.not_found"),
        ("qwen3-dense", "", "engine.draft_vocabulary"),
        ("mamba2-dense", "", "engine.draft_no_use"),
        ("mamba2-dense", "mamba2-dense", "engine.draft_no_use"),
    ],
)
def test_a_draft_of_no_use_is_refused(tmp_path: Path, draft: str, model: str, code: str) -> None:
    def at(name: str) -> str:
        path = tmp_path / f"{name or 'missing'}.gguf"
        if name:
            path.write_bytes(lzma.decompress((ZOO / f"{name}.gguf.xz").read_bytes()))
        return str(path)

    settings = replace(ALONE, draft_model=at(draft))
    if model:
        settings = replace(settings, model_path=at(model))
    made = Engine()
    with pytest.raises(UserError) as raised:
        made.load(settings, progress=lambda *_: True)
    made.close()
    assert raised.value.code == code
    assert "[" not in raised.value.message


def test_a_guesser_without_room_is_silent(engine: Engine) -> None:
    pay(engine)
    assert engine._loaded is not None
    assert engine._loaded.draft is not None
    guesser = DraftGuesser(engine._loaded.draft, [1, 2, 3], most=8)
    assert guesser.propose(0) == []
    assert guesser.propose(-1) == []
