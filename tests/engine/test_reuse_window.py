"""A prompt read again after a long reply, where all but its window has been overwritten.

The state of a sliding window is saved behind the prompt's last token and cut by one when it is put
back. Whether the last token then sees all that it saw is a matter of one position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.llama.library import api
from engine.llama.reuse_memory import SequenceMemory, window_slides
from tests.engine.kv_reader import BareModel, Reader, difference
from tests.engine.random_zoo import randomized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.kv_reader import Tokens

pytestmark = pytest.mark.model
# Of the spread of the logits, in full precision.
NOISE = 1e-4
# More than llama.cpp keeps beyond the window: a micro-batch, and what rounds it up to 256.
_OVERWRITTEN = 320
_MOST_TOGETHER = 32


@pytest.fixture(scope="module", params=("gemma3-dense", "gpt-oss-moe", "cohere2-dense"))
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BareModel]:
    with BareModel(randomized(request.param, tmp_path_factory.mktemp("zoo"))) as loaded:
        assert window_slides(loaded.handle)
        yield loaded


def write(reader: Reader, tokens: Tokens) -> None:
    for start in range(0, len(tokens), _MOST_TOGETHER):
        some = tokens[start : start + _MOST_TOGETHER]
        reader.decode(some, reader.ledger.used)
        reader.ledger.note_decoded(some)


@pytest.mark.parametrize("beyond", [-20, -1, 0, 1, 2, 200])
def test_last_token_is_read_again_with_all_that_it_sees(model: BareModel, beyond: int) -> None:
    window = int(api().llama_model_n_swa(model.handle))
    prompt = model.random_tokens(window + beyond, 1)
    with Reader(model, n_ctx=window + 1024) as reader:
        memory = SequenceMemory(reader.context)
        reader.read("a", prompt)
        before = reader.logits()
        for again in range(2):
            write(reader, model.random_tokens(window + _OVERWRITTEN, 2 + again))
            assert memory.lowest > max(0, beyond)
            reuse = reader.ledger.prepare("a", prompt)
            assert (reuse.kept, reuse.reason) == (len(prompt) - 1, "")
            # The last token is at `len(prompt) - 1` and sees itself and `window - 1` before it.
            assert (memory.lowest, memory.highest) == (max(0, beyond), len(prompt) - 2)
            assert reader.read("a", prompt).kept == len(prompt) - 1
            assert difference(reader.logits(), before) < NOISE
        assert difference(before, model.fresh_logits(prompt)) < NOISE


def test_prompt_with_another_last_token_starts_before_it(model: BareModel) -> None:
    window = int(api().llama_model_n_swa(model.handle))
    prompt = model.random_tokens(window + 30, 1)
    other = prompt.copy()
    other[-1] = (prompt[-1] + 1) % model.n_vocab
    with Reader(model, n_ctx=window + 1024) as reader:
        reader.read("a", prompt)
        write(reader, model.random_tokens(window + _OVERWRITTEN, 2))
        assert reader.read("a", other).kept == len(prompt) - 1
        assert difference(reader.logits(), model.fresh_logits(other)) < NOISE


def test_prompt_is_read_to_its_end_in_one_piece(model: BareModel) -> None:
    prompt = model.random_tokens(90, 1)
    with Reader(model) as reader:
        reader.ledger.prepare("a", prompt)
        assert reader.ledger.slice_tokens(len(prompt)) == len(prompt)


def test_chunked_windows_begin_empty(tmp_path_factory: pytest.TempPathFactory) -> None:
    with BareModel(randomized("llama4-moe", tmp_path_factory.mktemp("zoo"))) as chunked:
        assert not window_slides(chunked.handle)
        prompt = chunked.random_tokens(90, 1)
        with Reader(chunked) as reader:
            reader.ledger.prepare("a", prompt)
            assert reader.ledger.slice_tokens(len(prompt)) == len(prompt) - 1
