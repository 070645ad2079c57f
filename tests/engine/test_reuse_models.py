"""Prefix reuse on real models, with f16 and quantized KV, and with more context than the window.

Gemma's quantized weights round otherwise in batches of other sizes, with no reuse at all: logits
then differ by about a tenth of their spread. After a wrong prefix they differ by a half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.llama.vocabulary import Vocabulary
from tests.engine.kv_reader import F16, Q8_0, BareModel, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.kv_reader import Logits, Tokens

pytestmark = pytest.mark.model
NOISE = {"demo": 0.001, "gemma": 0.25}
WRONG = 0.4
TEXT = "".join(
    f"Clause {n}. The tenant of house {n * 37 % 101} pays {n * 13 % 89} crowns on day {n % 28}, "
    f"and the owner of house {n * 53 % 97} mends the {['roof', 'wall', 'gate', 'well'][n % 4]}.\n"
    for n in range(60)
)


@pytest.fixture(
    scope="module",
    params=[("demo", F16), ("demo", Q8_0), ("gemma", F16), ("gemma", Q8_0)],
    ids=["smollm2-f16", "smollm2-q8_0", "gemma-f16", "gemma-q8_0"],
)
def model(
    request: pytest.FixtureRequest, demo_model: Path, gemma_model: Path
) -> Iterator[tuple[BareModel, float]]:
    name, kv_type = request.param
    path = demo_model if name == "demo" else gemma_model
    with BareModel(path, kv_type=kv_type) as loaded:
        yield loaded, NOISE[name]


def tokens_of(model: BareModel, text: str) -> Tokens:
    return Vocabulary(model.handle).tokenize(text, special=False)


def difference(one: Logits, other: Logits) -> float:
    return float(np.sqrt(((one - other) ** 2).mean()) / other.std())


def test_turns_edits_and_switches_over_a_long_prompt(model: tuple[BareModel, float]) -> None:
    bare, noise = model
    # Gemma's window is 512; the demo model has none, and takes longer to read.
    size = 850 if noise == NOISE["gemma"] else 300
    document = tokens_of(bare, TEXT)[:size]
    assert len(document) == size
    question = np.concatenate([document, tokens_of(bare, "Who mends the roof of house 53?")])
    follow_up = np.concatenate([question, tokens_of(bare, " Nobody yet. And who pays most?")])
    elsewhere = np.concatenate([document, tokens_of(bare, "Count all crowns paid on day 5, now.")])
    unrelated = np.concatenate([document[:100], document[: size - 100][::-1], follow_up[size:]])
    fresh = {len(tokens): bare.fresh_logits(tokens) for tokens in (follow_up, elsewhere)}
    assert len(fresh) == 2
    assert difference(bare.fresh_logits(unrelated), fresh[len(follow_up)]) > WRONG

    with Reader(bare, n_ctx=2048) as reader:
        reader.read("a", question, (size,))
        assert reader.read("a", follow_up, (size,)).kept == len(question)
        assert difference(reader.logits(), fresh[len(follow_up)]) < noise

        assert reader.read("b", elsewhere, (size,)).kept == size
        assert difference(reader.logits(), fresh[len(elsewhere)]) < noise

        # Chat b is set aside for c, and holds the document that chat a comes back to.
        assert reader.read("c", unrelated[101:]).kept == 0
        back = reader.read("a", follow_up, (size,))
        assert (back.kept, back.restored) == (size, True)
        assert difference(reader.logits(), fresh[len(follow_up)]) < noise
