"""Real vocabularies: tokens and bytes agree, control tokens only where they are asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.llama.library import api
from engine.llama.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.model
TEXTS = (
    "The lease ends on 31 May 2031.",
    "  indented\n\n\ttabs\r\nand “quotes” — naïve, Größe, 北京, مرحبا, 🙂👩‍👩‍👧",
    "def f(x):\n    return x**2  # <b>not</b> a tag\n",
)


def opened(path: Path) -> int:
    parameters = api().llama_model_default_params()
    parameters.vocab_only = True
    return int(api().llama_model_load_from_file(str(path).encode(), parameters))


@pytest.fixture(scope="module", params=["demo", "gemma"])
def vocabulary(
    request: pytest.FixtureRequest, demo_model: Path, gemma_model: Path
) -> Iterator[Vocabulary]:
    model = opened(demo_model if request.param == "demo" else gemma_model)
    yield Vocabulary(model)
    api().llama_model_free(model)


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_of_the_tokens_are_the_text(vocabulary: Vocabulary, text: str) -> None:
    tokens = vocabulary.tokenize(text, special=False)
    assert b"".join(map(vocabulary.piece, tokens.tolist())).decode() == text


def test_control_token_is_one_token_only_when_asked_for(vocabulary: Vocabulary) -> None:
    control = vocabulary.control_tokens()[1]
    assert vocabulary.tokenize(control.text, special=True).tolist() == [control.token]
    assert vocabulary.single_token(control.text) == control.token
    assert control.token not in vocabulary.tokenize(control.text, special=False)
    assert vocabulary.single_token("several words of text") is None


def test_control_token_has_no_text_until_it_is_spelled_out(vocabulary: Vocabulary) -> None:
    control = vocabulary.control_tokens()[2]
    assert vocabulary.piece(control.token) == b""
    assert vocabulary.control_piece(control.token).decode() == control.text
    vocabulary.spell_out([control.text])
    assert vocabulary.piece(control.token).decode() == control.text


def test_bos_is_added_only_where_the_model_wants_one(vocabulary: Vocabulary) -> None:
    tokens = vocabulary.tokenize("Hello", special=False, add_bos=True)
    assert (tokens[0] == vocabulary.bos) == vocabulary.adds_bos
    assert vocabulary.eos is not None
    assert vocabulary.is_eog(vocabulary.eos)
    assert not vocabulary.is_eog(int(tokens[-1]))


def test_long_and_empty_texts(vocabulary: Vocabulary) -> None:
    assert len(vocabulary.tokenize("", special=True)) == 0
    long = "The tenant gives notice. " * 4000
    assert len(vocabulary.tokenize(long, special=False)) > 12_000


def test_threads_tokenize_at_once(vocabulary: Vocabulary) -> None:
    texts = [f"{text} {number}" for number in range(20) for text in TEXTS]
    alone = [vocabulary.tokenize(text, special=False) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: vocabulary.tokenize(text, special=False), texts))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_identity_is_the_vocabularys_own(
    demo_model: Path, gemma_model: Path, zoo: Callable[[str], Path]
) -> None:
    paths = (demo_model, demo_model, gemma_model, zoo("llama-dense"))
    identities = []
    for path in paths:
        model = opened(path)
        identities.append(Vocabulary(model).identity)
        api().llama_model_free(model)
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3
