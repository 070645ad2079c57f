"""The engine with a real model: loading, replies, cancelling, changed settings, refusals."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama.engine import Cancelled, Engine
from engine.models.demo import demo_model_path
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Finished, PrefillProgress, Prompt, PromptDocument, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.llama.abort import AbortFlag
    from engine.worker.protocol import ReplyEvent

pytestmark = pytest.mark.model

SETTINGS = EngineSettings(
    model_path=str(demo_model_path()), n_ctx=2048, n_threads=1, n_threads_batch=1, devices=("cpu",)
)
CALM = GenerationSettings(
    system_prompt="You are a helpful assistant.", temperature=0.0, max_tokens=24
)
QUESTION = "What is the capital of France?"


@dataclass
class Asked:
    """What came of one request."""

    finished: Finished
    deltas: list[Delta] = field(default_factory=list)
    progress: list[PrefillProgress] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas if not delta.thinking)


def ask(
    engine: Engine,
    text: str = QUESTION,
    generation: GenerationSettings = CALM,
    *,
    chat_id: str = "chat",
    document: str = "",
    on_event: Callable[[ReplyEvent], None] = lambda _: None,
) -> Asked:
    events: list[ReplyEvent] = []

    def emit(event: ReplyEvent) -> None:
        events.append(event)
        on_event(event)

    documents = (PromptDocument(id="d", name="d", text=document),) if document else ()
    prompt = Prompt(chat_id=chat_id, turns=(Turn(role="user", text=text),), documents=documents)
    finished = engine.generate(prompt, generation, emit=emit, request_id=5)
    return Asked(
        finished,
        [event for event in events if isinstance(event, Delta)],
        [event for event in events if isinstance(event, PrefillProgress)],
    )


def loaded(settings: EngineSettings = SETTINGS) -> Engine:
    engine = Engine()
    engine.load(settings, progress=lambda *_: True)
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = loaded()
    yield engine
    engine.close()


@pytest.fixture
def abort(engine: Engine) -> Iterator[AbortFlag]:
    yield engine.abort
    engine.abort.clear()


def test_a_load_tells_its_phases_and_what_it_made() -> None:
    engine, phases = Engine(), []

    def progress(phase: str, fraction: float, total_bytes: int) -> bool:
        phases.append(phase)
        assert 0.0 <= fraction <= 1.0
        assert total_bytes == demo_model_path().stat().st_size
        return True

    outcome = engine.load(SETTINGS, progress=progress)
    engine.close()
    assert list(dict.fromkeys(phases)) == ["open", "weights", "context", "warmup"]
    assert (outcome.model.architecture, outcome.model.n_vocab) == ("llama", 49_152)
    assert outcome.model.memory_class == "attention"
    assert outcome.context.n_ctx == 2048
    assert outcome.context.flash_attn
    assert [device.kind for device in outcome.context.devices] == ["cpu"]
    assert sum(row.weights_bytes for row in outcome.context.memory) > 90_000_000


def test_a_smaller_budget_for_parked_chats_counts_at_once(engine: Engine) -> None:
    engine.forget("")
    long = "Count the words of this. " * 12
    first = ask(engine, f"One. {long}", chat_id="one")
    ask(engine, f"Two. {long}", chat_id="two")
    prompt = Prompt(chat_id="one", turns=(Turn(role="user", text=f"One. {long}"),))
    counted = engine.measure(1, prompt, CALM)
    assert counted.cached_tokens == first.finished.usage.prompt_tokens - 1
    assert counted.read_reason == ""

    engine.load(replace(SETTINGS, kv_budget_mib=0), progress=lambda *_: False)
    counted = engine.measure(2, prompt, CALM)
    assert counted.cached_tokens < first.finished.usage.prompt_tokens // 2
    assert counted.read_reason == "reuse.evicted"
    again = ask(engine, f"One. {long}", chat_id="one").finished.usage
    assert (again.cached_tokens, again.read_reason) == (counted.cached_tokens, "reuse.evicted")
    engine.load(SETTINGS, progress=lambda *_: False)


@pytest.mark.parametrize("phase", ["open", "weights", "context", "warmup"])
def test_a_load_is_cancelled_in_any_phase_and_leaves_nothing(phase: str) -> None:
    engine = Engine()
    with pytest.raises(Cancelled):
        engine.load(SETTINGS, progress=lambda name, *_: name != phase)
    with pytest.raises(UserError) as raised:
        ask(engine)
    assert raised.value.code == "worker.no_model"
    engine.close()


def test_a_cancelled_warm_up_of_another_context_leaves_the_model() -> None:
    engine = loaded()

    def progress(phase: str, *_: object) -> bool:
        if phase == "warmup":
            engine.abort.set()
        return True

    with pytest.raises(Cancelled):
        engine.load(replace(SETTINGS, n_ctx=1024), progress=progress)
    engine.abort.clear()
    asked = ask(engine)
    assert (asked.finished.n_ctx, asked.text) == (2048, "The capital of France is Paris.")
    engine.close()


def test_a_reply_streams_and_is_accounted_for(engine: Engine) -> None:
    engine.forget("")
    asked = ask(engine)
    usage = asked.finished.usage
    assert asked.text == "The capital of France is Paris."
    assert asked.finished.stop_reason == "end"
    assert usage.prompt_tokens > 20
    assert usage.cached_tokens == 0
    assert usage.completion_tokens == 7
    assert usage.prefill_tokens_per_second is not None
    assert usage.decode_tokens_per_second is not None
    assert usage.time_to_first_token_s is not None
    assert usage.time_to_first_token_s >= usage.prefill_s
    assert asked.progress[0].done == 0
    assert asked.progress[-1].done == asked.progress[-1].total == usage.prompt_tokens
    assert asked.finished.context_used == usage.prompt_tokens + usage.completion_tokens


def test_the_same_question_again_reads_one_token(engine: Engine) -> None:
    ask(engine, chat_id="again")
    again = ask(engine, chat_id="again")
    assert again.text == "The capital of France is Paris."
    assert again.finished.usage.cached_tokens == again.finished.usage.prompt_tokens - 1


def test_a_seed_repeats_a_reply_and_another_does_not(engine: Engine) -> None:
    warm = replace(CALM, temperature=1.0, seed=11)
    first, again = ask(engine, "Tell me a story.", warm), ask(engine, "Tell me a story.", warm)
    other = ask(engine, "Tell me a story.", replace(warm, seed=12))
    assert first.text == again.text != other.text
    assert first.finished.usage.seed == 11


def test_a_drawn_seed_is_told_and_repeats_the_reply(engine: Engine) -> None:
    drawn = ask(engine, "Tell me a story.", replace(CALM, temperature=1.0))
    again = replace(CALM, temperature=1.0, seed=drawn.finished.usage.seed)
    assert ask(engine, "Tell me a story.", again).text == drawn.text


def test_limits_and_stop_strings_end_a_reply(engine: Engine) -> None:
    short = ask(engine, generation=replace(CALM, max_tokens=3))
    assert (short.finished.stop_reason, short.text) == ("max_tokens", "The capital of")
    stopped = ask(engine, generation=replace(CALM, stop=("France",)))
    assert (stopped.finished.stop_reason, stopped.text) == ("stop_string", "The capital of ")


def test_a_stop_string_of_the_template_ends_a_reply(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A plain template has one, so that the model does not write the next question as well.
    monkeypatch.setattr(engine._need().layout.template, "stop", ("France",))
    stopped = ask(engine)
    assert (stopped.finished.stop_reason, stopped.text) == ("stop_string", "The capital of ")


def test_a_full_context_ends_the_reply_and_says_so(engine: Engine) -> None:
    filler = "word " * 1985
    endless = replace(CALM, max_tokens=0, logit_bias=("2=-inf", "0=-inf"))
    asked = ask(engine, filler, endless, chat_id="full")
    assert asked.finished.stop_reason == "context_full"
    assert asked.finished.context_used == asked.finished.n_ctx == 2048
    # One more than the context holds: the last token is written and never read.
    usage = asked.finished.usage
    assert usage.prompt_tokens + usage.completion_tokens == 2049
    engine.forget("full")


def test_a_prompt_that_does_not_fit_is_refused_whole(engine: Engine) -> None:
    with pytest.raises(UserError) as raised:
        ask(engine, "word " * 2100)
    params = raised.value.problem.params
    assert raised.value.code == "engine.prompt_too_long"
    assert params["n_ctx"] == 2048
    assert int(params["tokens"]) - 2048 + 1 == params["over"]
    assert ask(engine).finished.stop_reason == "end"


def test_a_cancelled_prefill_stops_soon_and_keeps_what_was_read(
    engine: Engine, abort: AbortFlag
) -> None:
    engine.forget("")
    document = "The lease runs for ten years and may be ended by notice. " * 100

    def stop_soon(event: ReplyEvent) -> None:
        if isinstance(event, PrefillProgress) and event.done > 0:
            abort.set()

    asked = ask(engine, document=document, on_event=stop_soon)
    abort.clear()
    assert asked.finished.stop_reason == "cancelled"
    assert asked.finished.usage.completion_tokens == 0
    read = asked.finished.context_used
    assert 0 < read < asked.finished.usage.prompt_tokens
    again = ask(engine, document=document)
    assert again.finished.usage.cached_tokens == read
    assert again.finished.stop_reason in ("end", "max_tokens")


def test_a_cancel_acts_within_a_slice(engine: Engine, abort: AbortFlag) -> None:
    engine.forget("")
    document = "The lease runs for ten years and may be ended by notice. " * 100
    cpu_s: list[float] = []

    def later() -> None:
        time.sleep(0.15)
        cpu_s.append(time.process_time())
        abort.set()

    stopper = threading.Thread(target=later)
    stopper.start()
    asked = ask(engine, document=document)
    took_s = time.process_time() - cpu_s[0]
    stopper.join()
    abort.clear()
    assert asked.finished.stop_reason == "cancelled"
    # 0.3 s; of processor time, as others may hold the cores.
    assert took_s < 2.0
    assert ask(engine).text == "The capital of France is Paris."


def test_a_cancel_between_tokens_keeps_the_text(engine: Engine, abort: AbortFlag) -> None:
    count = 0

    def count_text(event: ReplyEvent) -> None:
        nonlocal count
        count += isinstance(event, Delta)
        if count == 2:
            abort.set()

    asked = ask(
        engine,
        "Count to one hundred.",
        replace(CALM, max_tokens=500, logit_bias=("2=-inf",)),
        on_event=count_text,
    )
    assert asked.finished.stop_reason == "cancelled"
    assert asked.text
    assert asked.finished.usage.completion_tokens >= 2


def test_json_follows_its_schema(engine: Engine) -> None:
    schema = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
    asked = ask(engine, "Give me a number.", replace(CALM, json_schema=schema, max_tokens=40))
    assert '"n"' in asked.text
    assert asked.finished.stop_reason in ("end", "max_tokens")
    assert asked.finished.notices == ()


def test_a_reply_names_what_of_its_schema_it_need_not_follow(engine: Engine) -> None:
    schema = '{"type":"integer","minimum":5,"maximum":9}'
    asked = ask(engine, "Give me a number.", replace(CALM, json_schema=schema, max_tokens=2))
    (notice,) = asked.finished.notices
    assert "Not enforced: maximum, minimum." in notice.message


def test_threads_change_at_once_and_keep_the_memory() -> None:
    engine = loaded()
    ask(engine)
    outcome = engine.load(replace(SETTINGS, n_threads=2), progress=lambda *_: False)
    assert outcome.context.n_threads == 2
    assert ask(engine).finished.usage.cached_tokens > 0
    engine.close()


def test_a_context_setting_makes_a_new_context_and_says_what_is_lost() -> None:
    engine = loaded()
    ask(engine)
    phases: list[str] = []

    def progress(phase: str, *_: float) -> bool:
        phases.append(phase)
        return True

    changed = replace(SETTINGS, n_ctx=1024, type_k="q8_0", type_v="q8_0")
    outcome = engine.load(changed, progress=progress)
    assert "weights" not in phases
    assert (outcome.context.n_ctx, outcome.context.type_k) == (1024, "q8_0")
    assert [notice.code for notice in outcome.notices] == ["engine.kv_dropped"]
    asked = ask(engine)
    assert asked.finished.usage.cached_tokens == 0
    assert asked.text == "The capital of France is Paris."
    engine.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"flash_attn": "off", "type_v": "q8_0"}, "rules.v_needs_flash"),
        ({"n_ctx": 16_777_216}, "engine.context_out_of_memory"),
    ],
)
def test_a_context_that_cannot_be_made_leaves_the_old_one(
    changes: dict[str, object], code: str
) -> None:
    engine = loaded()
    with pytest.raises(UserError) as raised:
        engine.load(replace(SETTINGS, **changes), progress=lambda *_: True)
    assert raised.value.code == code
    assert ask(engine).text == "The capital of France is Paris."
    engine.close()


def test_no_context_size_takes_the_trained_one() -> None:
    engine = Engine()
    outcome = engine.load(replace(SETTINGS, n_ctx=0), progress=lambda *_: True)
    engine.close()
    assert outcome.context.n_ctx == outcome.model.n_ctx_train == 8192


def wrong_files(folder: Path) -> dict[str, Path]:
    whole = demo_model_path().read_bytes()
    files = {
        "text": b"This is a letter, not a model.\n" * 50,
        "empty": b"",
        "cut": whole[:30_000_000],
        "cut_header": whole[:5000],
        "flipped": whole[:64] + b"\xff" * 4000 + whole[4064:3_000_000],
        "part-00002-of-00003": whole[:100],
    }
    paths = {}
    for name, data in files.items():
        paths[name] = folder / f"{name}.gguf"
        paths[name].write_bytes(data)
    paths["missing"] = folder / "nowhere.gguf"
    return paths


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("text", "models.not_gguf"),
        ("empty", "models.empty"),
        ("cut", "models.truncated"),
        ("cut_header", "models.damaged"),
        ("flipped", "models.damaged"),
        ("part-00002-of-00003", "models.part_missing"),
        ("missing", "models.not_found"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_its_reason(
    tmp_path: Path, name: str, code: str
) -> None:
    engine = Engine()
    path = wrong_files(tmp_path)[name]
    with pytest.raises(UserError) as raised:
        engine.load(replace(SETTINGS, model_path=str(path)), progress=lambda *_: True)
    assert raised.value.code == code
    assert "[" not in raised.value.message
    engine.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"devices": ("CUDA7",)}, "engine.device_not_found"),
        ({"devices": ("0000:99:00.0",)}, "engine.device_not_found"),
        ({"devices": ("127.0.0.1:9",)}, "engine.rpc_unreachable"),
        ({"devices": ("localhost:99999",)}, "engine.rpc_unreachable"),
        ({"split_mode": "tensor"}, "rules.tensor_no_device"),
        ({"type_v": "q8_0", "flash_attn": "off"}, "rules.v_needs_flash"),
        ({"n_ctx": 16_777_216}, "engine.context_out_of_memory"),
    ],
)
def test_settings_that_do_not_go_are_refused_with_their_reason(
    changes: dict[str, object], code: str
) -> None:
    engine = Engine()
    with pytest.raises(UserError) as raised:
        engine.load(replace(SETTINGS, **changes), progress=lambda *_: True)
    assert raised.value.code == code
    assert "[" not in raised.value.message
    engine.close()


def test_prompt_lookup_writes_the_same_and_tells_its_guesses(engine: Engine) -> None:
    document = (
        "Clause 1. The tenant shall pay the rent on the first day of each month. "
        "Clause 2. The landlord shall keep the roof and the walls in good repair. "
        "Clause 3. Either party may end the lease by written notice of thirty days. "
    )
    question = f"{document}\n\nRepeat the text above, word for word."
    plain = ask(engine, question, replace(CALM, max_tokens=60), chat_id="plain")
    guessed = ask(
        engine, question, replace(CALM, max_tokens=60, prompt_lookup=True), chat_id="guessed"
    )
    usage = guessed.finished.usage
    assert guessed.text == plain.text
    assert usage.completion_tokens == plain.finished.usage.completion_tokens
    assert 0 < usage.accepted_tokens <= usage.drafted_tokens
    assert guessed.finished.context_used == plain.finished.context_used
    assert plain.finished.usage.drafted_tokens == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model_path": "/nowhere.gguf"}, "models.not_found"),
        ({"mmap": False, "devices": ("CUDA7",)}, "engine.device_not_found"),
        ({"split_mode": "tensor"}, "rules.tensor_no_device"),
    ],
)
def test_what_is_refused_leaves_the_model_and_what_it_has_read(
    engine: Engine, changes: dict[str, object], code: str
) -> None:
    ask(engine)
    with pytest.raises(UserError) as raised:
        engine.load(replace(SETTINGS, **changes), progress=lambda *_: True)
    assert raised.value.code == code
    usage = ask(engine).finished.usage
    assert usage.cached_tokens == usage.prompt_tokens - 1
