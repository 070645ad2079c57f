"""After any reuse the model stands where it would have stood: logits equal those of a fresh read.

Every memory class is here, on tiny models with random weights. That the comparison can fail is a
test of its own: a prefix that is wrong in a few places must show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.llama.reuse_memory import memory_class
from tests.engine.kv_reader import BareModel, Reader, difference
from tests.engine.random_zoo import randomized
from tests.engine.tiny_deepseek4 import write_deepseek4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.worker.protocol import MemoryClass
    from tests.engine.kv_reader import Tokens

pytestmark = pytest.mark.model

KINDS: dict[str, MemoryClass] = {
    "llama-dense": "attention",
    "deepseek2-moe": "attention",
    "deepseek32-moe": "attention",
    "deepseek4": "compressed",
    "minimax-m3-moe": "attention",
    "gemma3-dense": "swa",
    "gpt-oss-moe": "swa",
    "cohere2-dense": "swa",
    "llama4-moe": "swa",
    "mamba-dense": "recurrent",
    "mamba2-dense": "recurrent",
    "falcon-h1-dense": "hybrid",
    "granitehybrid-dense": "hybrid",
    "jamba-dense": "hybrid",
    "kimi-linear-moe": "hybrid",
    "lfm2-dense": "hybrid",
    "nemotron_h-dense": "hybrid",
    "qwen35-dense": "hybrid",
    "qwen3next-moe": "hybrid",
}
# Of the spread of the logits. Batches of other sizes round otherwise; a wrong prefix shows more.
NOISE = 1e-4


@pytest.fixture(scope="module", params=KINDS)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BareModel]:
    folder = tmp_path_factory.mktemp("random-zoo")
    written = write_deepseek4 if request.param == "deepseek4" else None
    path = written(folder / "deepseek4.gguf") if written else randomized(request.param, folder)
    with BareModel(path) as loaded:
        assert memory_class(loaded.handle) == KINDS[request.param]
        yield loaded


def check(reader: Reader, tokens: Tokens) -> None:
    assert difference(reader.logits(), reader.model.fresh_logits(tokens)) < NOISE


def test_comparison_sees_a_wrong_prefix(model: BareModel) -> None:
    tokens = model.random_tokens(400, 1)
    wrong = tokens.copy()
    wrong[380:396] = model.random_tokens(16, 2)
    assert difference(model.fresh_logits(wrong), model.fresh_logits(tokens)) > 5 * NOISE


def test_next_turn_reads_only_what_is_new(model: BareModel) -> None:
    first, reply = model.random_tokens(380, 1), model.random_tokens(20, 2)
    with Reader(model) as reader:
        assert reader.read("a", first).kept == 0
        reader.write(reply)
        second = np.concatenate([first, reply, model.random_tokens(30, 3)])
        reuse = reader.read("a", second)
        assert (reuse.kept, reuse.reason) == (400, "")
        check(reader, second)


def test_reply_that_is_laid_out_otherwise_is_read_again(model: BareModel) -> None:
    first, reply = model.random_tokens(380, 1), model.random_tokens(20, 2)
    with Reader(model) as reader:
        reader.read("a", first)
        reader.write(reply)
        second = np.concatenate([first, reply[:12], model.random_tokens(30, 3)])
        reuse = reader.read("a", second)
        assert reuse.kept in (379, 392)
        assert bool(reuse.reason) == (reuse.kept == 379)
        check(reader, second)


def test_regenerating_decodes_one_token(model: BareModel) -> None:
    prompt = model.random_tokens(380, 1)
    with Reader(model) as reader:
        reader.read("a", prompt)
        before = reader.logits()
        reader.write(model.random_tokens(15, 2))
        assert reader.read("a", prompt).kept == 379
        assert difference(reader.logits(), before) < NOISE
        assert reader.read("a", prompt).kept == 379
        assert difference(reader.logits(), before) < NOISE


def test_edited_turn_goes_back_to_the_mark_before_it(model: BareModel) -> None:
    prompt = model.random_tokens(420, 1)
    edited = np.concatenate([prompt[:210], model.random_tokens(100, 3)])
    with Reader(model) as reader:
        reader.read("a", prompt, (60, 200, 300))
        promised = reader.ledger.expected("a", edited)
        reuse = reader.read("a", edited, (60, 200))
        assert (reuse.kept, reuse.reason) == promised
        assert reuse.kept == (210 if reuse.reason == "" else 200)
        check(reader, edited)


def test_chats_are_parked_and_come_back(model: BareModel) -> None:
    one, other = model.random_tokens(390, 1), model.random_tokens(330, 2)
    with Reader(model) as reader:
        reader.read("a", one)
        reader.read("b", other)
        assert reader.ledger.parked_bytes > 0
        longer = np.concatenate([one, model.random_tokens(25, 3)])
        reuse = reader.read("a", longer)
        assert (reuse.kept, reuse.restored) == (390, True)
        check(reader, longer)
        back = np.concatenate([other, model.random_tokens(25, 4)])
        assert reader.read("b", back).kept == 330
        check(reader, back)


def test_branch_starts_from_what_it_shares(model: BareModel) -> None:
    document = model.random_tokens(300, 1)
    one = np.concatenate([document, model.random_tokens(70, 2)])
    branch = np.concatenate([document, model.random_tokens(60, 3)])
    with Reader(model) as reader:
        reader.read("a", one, (300,))
        assert reader.read("b", branch, (300,)).kept == 300
        check(reader, branch)
        # The chat it came from was set aside for it.
        again = np.concatenate([one, model.random_tokens(9, 4)])
        assert reader.read("a", again).kept == 370
        check(reader, again)


def test_rejected_draft_is_taken_back(model: BareModel) -> None:
    prompt, draft = model.random_tokens(380, 1), model.random_tokens(5, 2)
    with Reader(model) as reader:
        reader.read("a", prompt)
        reader.decode(draft, 380)
        reader.ledger.note_decoded(draft)
        possible = reader.ledger.can_roll_back(3)
        assert reader.ledger.rollback(3) == possible
        assert reader.ledger.used == (382 if possible else 385)
        after = draft[:2] if possible else draft
        told = np.concatenate([prompt, after, model.random_tokens(1, 5)])
        reader.write(told[-1:])
        check(reader, told)


def test_failed_decode_leaves_a_memory_that_can_be_used(model: BareModel) -> None:
    prompt = model.random_tokens(400, 1)
    with Reader(model) as reader:
        reader.read("a", prompt[:300], (200,))
        # What an aborted batch leaves behind: tokens that the ledger knows nothing of.
        reader.decode(model.random_tokens(40, 6), 300)
        reader.ledger.note_failed()
        assert reader.ledger.used in (300, 299, 200)
        reader.read("a", prompt)
        check(reader, prompt)


def test_chat_that_had_to_go_is_read_again_and_says_why(model: BareModel) -> None:
    prompt = model.random_tokens(350, 1)
    with Reader(model, budget=0) as reader:
        reader.read("a", prompt)
        reader.read("b", model.random_tokens(300, 2))
        assert reader.ledger.expected("a", prompt) == (0, "reuse.evicted")
        reuse = reader.read("a", prompt)
        assert (reuse.kept, reuse.reason, reuse.restored) == (0, "reuse.evicted", False)
        check(reader, prompt)


def test_chat_that_moved_behind_something_is_read_again_and_says_why(model: BareModel) -> None:
    prompt = model.random_tokens(400, 1)
    added = np.concatenate([model.random_tokens(50, 2), prompt, model.random_tokens(20, 3)])
    with Reader(model) as reader:
        reader.read("a", prompt)
        reuse = reader.read("a", added)
        assert reuse.kept < 5
        assert reuse.reason == "reuse.moved"
        check(reader, added)
        assert reader.read("a", model.random_tokens(400, 4)).reason == ""


def test_forgotten_chat_is_read_from_the_beginning(model: BareModel) -> None:
    prompt = model.random_tokens(350, 1)
    with Reader(model) as reader:
        reader.read("a", prompt)
        reader.read("b", model.random_tokens(300, 2))
        reader.ledger.forget("a")
        assert reader.ledger.parked_bytes < 350 * 40_000
        assert reader.read("a", prompt).kept == 0
        check(reader, prompt)
        reader.ledger.forget()
        assert (reader.ledger.used, reader.ledger.parked_bytes) == (0, 0)


def test_many_random_steps_keep_the_memory_true(model: BareModel) -> None:
    random = np.random.default_rng(11)
    chats = {
        name: model.random_tokens(int(random.integers(200, 420)), i) for i, name in enumerate("abc")
    }
    with Reader(model) as reader:
        for step in range(14):
            name = str(random.choice(list(chats)))
            keep = int(random.integers(1, len(chats[name]) + 1))
            new = model.random_tokens(int(random.integers(5, 150)), 100 + step)
            chats[name] = np.concatenate([chats[name][:keep], new])[:700]
            tokens = chats[name]
            promised = reader.ledger.expected(name, tokens)
            marks = tuple(int(m) for m in random.integers(1, len(tokens), 3))
            reuse = reader.read(name, tokens, marks)
            assert (reuse.kept, reuse.reason) == promised
            check(reader, tokens)
            reply = model.random_tokens(int(random.integers(0, 12)), 200 + step)
            reader.write(reply)
            chats[name] = np.concatenate([tokens, reply])
